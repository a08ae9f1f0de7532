package import Foundation

/// Files that Debian's `openssl` makes, in a directory of their own which goes with the last reference.
package final class TestCertificates: Sendable {
    package struct Failed: Error { var output: String }

    package let directory: URL

    package init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    package func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    package func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: directory.appendingPathComponent(name))
        return path(name)
    }

    /// Makes `name.pem` and `name.key`: a certificate for 127.0.0.1 that signs itself.
    package func selfSigned(_ name: String, key: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]) throws {
        try openssl(
            ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-newkey"] + key + [
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", path("\(name).key"), "-out",
                path("\(name).pem"),
            ])
    }

    @discardableResult
    package func openssl(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(output: text) }
        return text
    }
}
