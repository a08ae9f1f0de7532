import Foundation
import TestSupport

/// One real node: the built executable in a directory of its own, driven through its command line, signals and REST.
/// (Or a program that looks at nodes from outside.)
final class NodeProcess {
    struct Exit: Equatable {
        var status: Int32
        var wasSignal: Bool
    }

    /// The executable: `AUTO_CLUSTER_SYNC`, or the one that was built with these tests.
    static let executable: URL = {
        if let path = ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC"] { return URL(fileURLWithPath: path) }
        let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return tests.deletingLastPathComponent().appendingPathComponent("auto-cluster-sync")
    }()

    let logFile: URL
    private let process = Process()
    private let exited = DispatchSemaphore(value: 0)

    /// Starts the executable with `arguments` in `directory`; its output goes to `log` there, after what is in it.
    ///
    /// - Parameter launcher: a command that becomes the one that follows it, such as `nsenter`.
    convenience init(_ arguments: [String], in directory: URL, log: String, launcher: [String] = []) throws {
        try self.init(command: launcher + [Self.executable.path] + arguments, in: directory, log: log)
    }

    /// Starts any other program: its path and its arguments.
    init(command: [String], in directory: URL, log: String) throws {
        logFile = directory.appendingPathComponent(log)
        if !FileManager.default.fileExists(atPath: logFile.path) {
            _ = FileManager.default.createFile(atPath: logFile.path, contents: nil)
        }
        let handle = try FileHandle(forWritingTo: logFile)
        try handle.seekToEnd()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = directory
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        let exited = exited
        process.terminationHandler = { _ in exited.signal() }
        try process.run()
    }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var output: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

    /// Resident memory in bytes.
    var residentBytes: Int { ProcessFigures.residentBytes(of: pid) }

    func signal(_ number: Int32) { if isRunning { kill(pid, number) } }

    /// Waits for the process to end; `nil` when it has not within `seconds`.
    func waitForExit(seconds: Double) -> Exit? {
        guard exited.wait(timeout: .now() + seconds) == .success else { return nil }
        exited.signal()
        return Exit(status: process.terminationStatus, wasSignal: process.terminationReason == .uncaughtSignal)
    }

    /// SIGKILL: what was not durable is lost.
    func crash() {
        signal(SIGKILL)
        _ = waitForExit(seconds: 10)
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
}
