import Foundation

/// A process beside the tests that ends when its standard input is closed, and so when they end, however they end. It
/// says a word once it is there.
final class Companion {
    struct Failed: Error, CustomStringConvertible {
        var command: String
        var output: String
        var description: String { "\(command): \(output)" }
    }

    private let process = Process()
    private let input = Pipe()

    /// Starts the command, whose first word is a path, and waits for its word.
    init(_ command: [String], word: String) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        guard output.fileHandleForReading.availableData.starts(with: Data(word.utf8)) else {
            throw Failed(command: command.joined(separator: " "), output: "it did not say \(word)")
        }
    }

    var pid: Int32 { process.processIdentifier }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
    }

    /// Runs a command to its end and returns what it printed.
    @discardableResult
    static func run(_ command: [String]) throws -> String {
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
        return text
    }
}
