import Foundation
import TestSupport
import Testing

/// Real nodes with TLS and tokens, and programs that share no code with them as clients.
@Suite("TLS, tokens and SIGHUP", .serialized)
struct SecureNodeTests {
    private static let httpVersions = [("--http1.1", "1.1"), ("--http2", "2")]
    private static let token = "first-of-the-tokens"

    private let files: TestCertificates
    private let port: Int

    init() throws {
        files = try TestCertificates()
        try files.selfSigned("first")
        port = try FreePorts.take(1)[0]
    }

    private var url: String { "https://127.0.0.1:\(port)" }

    @Test("curl reads and writes over HTTP/1.1 and HTTP/2 alike", arguments: Self.httpVersions)
    func operations(option: String, version: String) async throws {
        let node = try await start("tls: { cert: first.pem, key: first.key }", cluster: true)
        let options = trust("first") + [option]
        let json = ["--header", "Content-Type: application/json", "--data", #"{"extern_id":"a/b","todo":"x"}"#]
        let created = try await Curl.get("\(url)/todos", options + json)
        #expect(created.status == 201 && created.version == version && created.headers["location"] == "/todos/1")
        #expect(created.headers["date"]?.hasSuffix(" GMT") == true)
        #expect(try await Curl.get("\(url)/todos", options + json).status == 409)
        let put = ["--request", "PUT", "--data", #"{"completed":true}"#, "--header", "Content-Type: application/json"]
        #expect(
            try await Curl.get("\(url)/todos/by-extern-id/a%2Fb", options + put).body.contains("\"completed\":true"))
        let head = try await Curl.get("\(url)/todos/1", options + ["--head"])
        let get = try await Curl.get("\(url)/todos/1", options)
        #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "\(get.body.utf8.count)")
        #expect(try await Curl.get("\(url)/todos", options).body == "[\(get.body)]")
        let long = try files.write(String(repeating: " ", count: 3 << 20), to: "long")
        let tooLong = try await Curl.get("\(url)/todos", options + ["--data-binary", "@\(long)", "--header", json[1]])
        #expect(tooLong.status == 413 && tooLong.exit == 0)
        let unsized = ["--data-binary", "@\(long)", "--header", json[1], "--header", "Transfer-Encoding: chunked"]
        #expect(try await Curl.get("\(url)/todos", options + unsized).status == 413)
        #expect(try await Curl.get("\(url)/nope", options).status == 404)
        #expect(try await Curl.get("\(url)/todos/1", options + ["--request", "DELETE"]).status == 204)
        let info = try await Curl.get("\(url)/health/info", options)
        #expect(info.body.contains("\"http\":\"\(url)\""), "\(info.body)")
        try stop(node)
    }

    @Test("TLS 1.2 and 1.3 are spoken, older ones and what is no TLS are refused at once")
    func versions() async throws {
        let node = try await start("tls: { cert: first.pem, key: first.key }")
        for (version, isSpoken) in [("1.0", false), ("1.1", false), ("1.2", true), ("1.3", true)] {
            let old = ["--tlsv1", "--tls-max", version, "--ciphers", "DEFAULT@SECLEVEL=0"]
            let answer = try await Curl.get(
                "\(url)/health/ready", trust("first") + (isSpoken ? ["--tls-max", version] : old))
            #expect((answer.status == 200) == isSpoken, "\(version): \(answer)")
            #expect(isSpoken || answer.complaint.contains("alert protocol version"), "\(answer)")
        }
        let start = ContinuousClock.now
        let plain = try await Curl.get("http://127.0.0.1:\(port)/health/ready")
        #expect(plain.status == 0 && ContinuousClock.now - start < .seconds(5))
        try stop(node)
    }

    @Test("SIGHUP takes new files for new connections, keeps old connections, and what cannot be used changes nothing")
    func reload() async throws {
        let tokens = try files.write("\(Self.token)\n", to: "tokens")
        let node = try await start(
            "tls: { cert: in-use.pem, key: in-use.key }, tokens_file: tokens", certificate: "first")
        let old = try TLSConnection(port: port, in: files.directory, ["-quiet"])
        let request = "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"
        func answers(_ count: Int) async throws {
            try old.send(request)
            try await eventually("the old connection answers \(count) times", node) {
                old.output.components(separatedBy: "ready\"}").count == count + 1
            }
        }
        try await answers(1)
        try await eventually("the first certificate is shown", node) { try await shown() == pem("first") }

        try files.selfSigned("second")
        try use("second")
        node.signal(SIGHUP)
        try await eventually("the second certificate is shown", node) { try await shown() == pem("second") }
        try await answers(2)
        #expect(try await Curl.get("\(url)/health/ready", trust("second")).status == 200)
        #expect(try await Curl.get("\(url)/health/ready", trust("first")).status == 0)

        // The tokens are read after the certificate: when they have changed, it was looked at.
        for (number, name) in ["in-use.key", "in-use.pem"].enumerated() {
            _ = try files.write("broken", to: name)
            try Data("next-of-the-tokens-\(number)\n".utf8).write(to: URL(fileURLWithPath: tokens))
            node.signal(SIGHUP)
            let bearer = ["--oauth2-bearer", "next-of-the-tokens-\(number)"]
            try await eventually("the tokens are new", node) {
                try await Curl.get("\(url)/todos", trust("second") + bearer).status == 200
            }
            #expect(try await shown() == pem("second"))
        }
        let last = ["--oauth2-bearer", "next-of-the-tokens-0"]
        #expect(try await Curl.get("\(url)/todos", trust("second") + last).status == 401)
        try await answers(3)
        #expect(old.isOpen)
        try stop(node)
    }

    @Test("Clients need a certificate of the CA, also of a new one", arguments: Self.httpVersions)
    func clientCertificates(option: String, version: String) async throws {
        for name in ["ca", "other-ca"] {
            try files.selfSigned(name)
            try files.openssl(
                [
                    "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=client of \(name)", "-newkey", "rsa:2048",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-CA", files.path("\(name).pem"), "-CAkey",
                    files.path("\(name).key"), "-keyout", files.path("\(name)-client.key"), "-out",
                    files.path("\(name)-client.pem"),
                ])
        }
        try FileManager.default.copyItem(atPath: files.path("ca.pem"), toPath: files.path("client-ca.pem"))
        func client(_ ca: String) -> [String] {
            trust("first") + [
                option, "--cert", files.path("\(ca)-client.pem"), "--key", files.path("\(ca)-client.key"),
            ]
        }
        let node = try await start(
            "tls: { cert: first.pem, key: first.key, client_ca: client-ca.pem }", readyOptions: client("ca"))
        for options in [trust("first") + [option], client("other-ca")] {
            let answer = try await Curl.get("\(url)/health/ready", options)
            #expect(answer.exit != 0 && answer.status == 0, "\(answer)")
        }
        #expect(try await Curl.get("\(url)/todos", client("ca")).status == 200)
        try files.write(try String(contentsOfFile: files.path("other-ca.pem"), encoding: .utf8), over: "client-ca.pem")
        node.signal(SIGHUP)
        try await eventually("clients of the new CA get in", node) {
            try await Curl.get("\(url)/todos", client("other-ca")).status == 200
        }
        #expect(try await Curl.get("\(url)/todos", client("ca")).status == 0)
        try stop(node)
    }

    @Test("With tokens everything but readiness wants one", arguments: Self.httpVersions)
    func tokens(option: String, version: String) async throws {
        let node = try await start("tls: { cert: first.pem, key: first.key }, token: \(Self.token)")
        let options = trust("first") + [option]
        for (method, path) in [
            ("GET", "/todos"), ("POST", "/todos"), ("GET", "/todos/1"), ("PUT", "/todos/1"), ("DELETE", "/todos/1"),
            ("GET", "/todos/by-extern-id/a"), ("PUT", "/todos/by-extern-id/a"), ("DELETE", "/todos/by-extern-id/a"),
            ("GET", "/health/info"), ("GET", "/"), ("GET", "/nope"), ("POST", "/health/ready"), ("OPTIONS", "/todos"),
            ("HEAD", "/todos"),
        ] {
            let request = options + (method == "HEAD" ? ["--head"] : ["--request", method])
            let answer = try await Curl.get(url + path, request)
            #expect(answer.status == 401 && answer.version == version, "\(method) \(path)")
            #expect(answer.headers["www-authenticate"] == "Bearer realm=\"auto-cluster-sync\"")
            #expect(answer.headers["content-type"] == "application/problem+json")
            let wrong = try await Curl.get(
                url + path, request + ["--oauth2-bearer", "wrong-token-\(UUID().uuidString)"])
            let challenge = "Bearer realm=\"auto-cluster-sync\", error=\"invalid_token\""
            #expect(wrong.status == 401 && wrong.headers["www-authenticate"] == challenge, "\(method) \(path)")
            let right = try await Curl.get(url + path, request + ["--oauth2-bearer", Self.token])
            #expect(right.status != 401 && right.status != 0, "\(method) \(path)")
        }
        for method in [[], ["--head"]] {
            #expect(try await Curl.get("\(url)/health/ready", options + method).status == 200)
        }
        let long = try files.write(String(repeating: " ", count: 3 << 20), to: "long")
        let refused = try await Curl.get("\(url)/todos", options + ["--data-binary", "@\(long)"])
        #expect(refused.status == 401 && refused.exit == 0)
        #expect(!node.output.contains(Self.token))
        try stop(node)
    }

    @Test("SIGHUP does no harm to a node without files to read, alone or in a cluster", arguments: [false, true])
    func harmless(cluster: Bool) async throws {
        let node = try await start("", cluster: cluster)
        for _ in 0..<3 {
            node.signal(SIGHUP)
            #expect(try await Curl.get("http://127.0.0.1:\(port)/health/ready").status == 200)
        }
        try stop(node)
    }

    @Test("SIGHUP does no harm to a node that is still opening its database")
    func early() async throws {
        try configure("")
        let database = SQLiteFile(files.path("node.db"))
        try database.run(SQLiteFile.seedSchema)
        var node: NodeProcess?
        // For less than the 5 s that a node waits for another program.
        try await database.locked {
            let started = try NodeProcess(["-config", "node.yaml"], in: files.directory, log: "node.log")
            node = started
            try await eventually("the node takes the signal", started) {
                let status = try String(contentsOfFile: "/proc/\(started.pid)/status", encoding: .utf8)
                let masks = status.split(separator: "\n").filter { $0.hasPrefix("SigIgn") || $0.hasPrefix("SigCgt") }
                return masks.contains { line in
                    line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }.map { $0 & 1 == 1 } ?? false
                }
            }
            started.signal(SIGHUP)
        }
        let started = try #require(node)
        try await eventually("the node is ready", started) {
            try await Curl.get("http://127.0.0.1:\(port)/health/ready").status == 200
        }
        try stop(started)
    }

    @Test("Files that are of no use end the start with one sentence, before anything is opened")
    func unusableFiles() throws {
        try files.selfSigned("second")
        _ = try files.write("no secret\n", to: "text")
        for (http, key, name) in [
            ("tls: { cert: none.pem, key: first.key }", "node.http.tls.cert", "none.pem"),
            ("tls: { cert: first.pem, key: second.key }", "node.http.tls.key", "second.key"),
            ("tls: { cert: first.pem, key: first.key, client_ca: text }", "node.http.tls.client_ca", "text"),
            ("tokens_file: text", "node.http.tokens_file", "text"),
        ] {
            try configure(http)
            let node = try NodeProcess(["-config", "node.yaml"], in: files.directory, log: "\(UUID().uuidString).log")
            #expect(node.waitForExit(seconds: 20) == NodeProcess.Exit(status: 1, wasSignal: false))
            let lines = node.output.split(separator: "\n")
            #expect(lines.count == 1 && lines.first?.contains("\(key): cannot use \(name): ") == true, "\(node.output)")
            #expect(!node.output.contains("secret"))
            #expect(!FileManager.default.fileExists(atPath: files.path("node.db")))
        }
    }

    private func trust(_ name: String) -> [String] { ["--cacert", files.path("\(name).pem")] }

    private func pem(_ name: String) throws -> String {
        try String(contentsOfFile: files.path("\(name).pem"), encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    /// Puts a pair where the node looks for one.
    private func use(_ name: String) throws {
        for suffix in ["pem", "key"] {
            try files.write(
                try String(contentsOfFile: files.path("\(name).\(suffix)"), encoding: .utf8), over: "in-use.\(suffix)")
        }
    }

    /// The certificate that a new connection is shown.
    private func shown() async throws -> String? {
        let connection = try TLSConnection(port: port, in: files.directory)
        let end = "-----END CERTIFICATE-----"
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let output = connection.output
            if let from = output.range(of: "-----BEGIN CERTIFICATE-----"), let to = output.range(of: end) {
                return String(output[from.lowerBound..<to.upperBound])
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    private func configure(_ http: String, cluster: Bool = false) throws {
        let address = cluster ? "\n  transport: { bind_addr: \"127.0.0.1:0\" }" : ""
        let more = http.isEmpty ? "" : ", \(http)"
        let yaml = """
            node:
              http: { host: 127.0.0.1, port: \(port)\(more) }
              database: { path: node.db }\(address)
            """
        _ = try files.write(yaml, to: "node.yaml")
    }

    /// Starts a node and waits until it is ready.
    ///
    /// - Parameter certificate: goes to where the node looks, if that is elsewhere.
    private func start(
        _ http: String, cluster: Bool = false, certificate: String? = nil, readyOptions: [String]? = nil
    ) async throws -> NodeProcess {
        if let certificate { try use(certificate) }
        try configure(http, cluster: cluster)
        let node = try NodeProcess(["-config", "node.yaml"], in: files.directory, log: "node.log")
        let address = http.contains("tls:") ? url : "http://127.0.0.1:\(port)"
        try await eventually("the node is ready", node) {
            try await Curl.get("\(address)/health/ready", readyOptions ?? trust("first")).status == 200
        }
        return node
    }

    private func stop(_ node: NodeProcess) throws {
        node.signal(SIGTERM)
        #expect(node.waitForExit(seconds: 10) == NodeProcess.Exit(status: 0, wasSignal: false), "\(node.output)")
    }

    private func eventually(
        _ claim: String, _ node: NodeProcess, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("not within 20 s: \(claim)\n\(node.output)")
    }
}

extension TestCertificates {
    /// As an operator's `mv` does: whoever reads meanwhile gets the old file or the new one.
    fileprivate func write(_ text: String, over name: String) throws {
        try Data(text.utf8).write(to: directory.appendingPathComponent(name), options: .atomic)
    }
}
