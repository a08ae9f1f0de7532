import Foundation

/// `curl` in a shell, as in a manual: commands run as they are written there. What is different is in curl's own
/// configuration file: ports 8080 and above of localhost are those of the nodes.
final class ShellCurl: Sendable {
    struct Answer {
        var status: Int
        var body: String
        var json: AnyJSON? { try? JSONDecoder().decode(AnyJSON.self, from: Data(body.utf8)) }
    }

    private let directory: URL

    /// - Parameter ports: where the nodes are that the manual has on 8080, 8081 and so on.
    init(_ ports: [Int]) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let nodes = ports.enumerated().map { "connect-to = \"localhost:\(8080 + $0):127.0.0.1:\($1)\"\n" }.joined()
        let configuration = "silent\nnoproxy = \"*\"\nmax-time = 20\nwrite-out = \"\\n%{http_code}\"\n" + nodes
        try configuration.write(to: directory.appendingPathComponent(".curlrc"), atomically: true, encoding: .utf8)
    }

    func run(_ command: String) async throws -> Answer {
        let home = directory.path
        let output = try await offPool {
            try Companion.run(["/usr/bin/env", "CURL_HOME=\(home)", "/bin/sh", "-c", command])
        }
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        guard let status = lines.last.flatMap({ Int($0) }) else {
            throw Companion.Failed(command: command, output: output)
        }
        return Answer(status: status, body: lines.dropLast().joined(separator: "\n"))
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}
