import Foundation

/// A network namespace of the kernel without a name: it lives as long as the process that this starts in it, which ends
/// when its standard input is closed. So nothing stays behind, however the tests end.
final class NetworkNamespace {
    struct Failed: Error, CustomStringConvertible {
        var command: String
        var output: String
        var description: String { "\(command): \(output)" }
    }

    private let holder = Process()
    private let input = Pipe()

    init() throws {
        let output = Pipe()
        holder.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        holder.arguments = ["unshare", "--net", "sh", "-c", "echo made; exec cat"]
        holder.standardInput = input
        holder.standardOutput = output
        holder.standardError = FileHandle.nullDevice
        try holder.run()
        // Before it has spoken, it is still in the namespace of the tests.
        guard output.fileHandleForReading.availableData.starts(with: Data("made".utf8)) else {
            throw Failed(command: "unshare --net", output: "no namespace")
        }
    }

    var pid: Int32 { holder.processIdentifier }

    /// Becomes the command that follows it, in this namespace.
    var launcher: [String] { ["/usr/bin/env", "nsenter", "--net=/proc/\(pid)/ns/net"] }

    /// Runs a command of `ip` in here.
    func ip(_ arguments: String) throws {
        try Self.run(launcher + ["ip"] + arguments.split(separator: " ").map(String.init))
    }

    /// Runs a command of `ip` where the tests are.
    static func ip(_ arguments: String) throws {
        try run(["/usr/bin/env", "ip"] + arguments.split(separator: " ").map(String.init))
    }

    private static func run(_ command: [String]) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(command: command.joined(separator: " "), output: text)
        }
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if holder.isRunning { holder.waitUntilExit() }
    }
}
