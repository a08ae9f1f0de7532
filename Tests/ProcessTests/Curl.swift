import Foundation

/// Debian's `curl`: a client that shares no code with the nodes.
enum Curl {
    struct Answer {
        /// Of the program: 0 when there was an answer.
        var exit: Int32
        /// 0 when there was none.
        var status = 0
        /// `1.1` or `2`.
        var version = ""
        /// With names in lower case.
        var headers: [String: String] = [:]
        var body = ""
        /// What went wrong.
        var complaint = ""
    }

    /// Blocks elsewhere than on the threads that all tasks share.
    static func get(_ url: String, _ options: [String] = []) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try run([url] + options) }) }
        }
    }

    private static func run(_ arguments: [String]) throws -> Answer {
        let process = Process()
        let (output, complaints) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments =
            [
                "--silent", "--show-error", "--include", "--max-time", "20", "--write-out",
                "\n%{http_code} %{http_version}",
            ]
            + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = complaints
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var answer = Answer(exit: process.terminationStatus, complaint: complaint)
        var lines = text.components(separatedBy: "\n")
        let figures = lines.removeLast().split(separator: " ")
        answer.status = figures.first.flatMap { Int($0) } ?? 0
        answer.version = figures.dropFirst().first.map(String.init) ?? ""
        let parts = lines.joined(separator: "\n").components(separatedBy: "\r\n\r\n")
        for line in parts[0].components(separatedBy: "\r\n").dropFirst() {
            let field = line.split(separator: ":", maxSplits: 1)
            guard field.count == 2 else { continue }
            answer.headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
        }
        answer.body = parts.dropFirst().joined(separator: "\r\n\r\n")
        return answer
    }
}

/// A connection of Debian's `openssl s_client`, open until the last reference goes.
final class TLSConnection {
    private let process = Process()
    private let input = Pipe()
    private let file: URL

    /// What it prints goes to a file in `directory`.
    init(port: Int, in directory: URL, _ options: [String] = []) throws {
        file = directory.appendingPathComponent("s_client-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = ["s_client", "-connect", "127.0.0.1:\(port)"] + options
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: file)
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    var output: String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }
    var isOpen: Bool { process.isRunning }

    func send(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
