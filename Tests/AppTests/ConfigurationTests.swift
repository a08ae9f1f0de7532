import Foundation
import Keys
import Logging
import Store
import NIOCore
import Testing
import Transport
import TransportKit
import TransportUDP
import TransportZMQ

@testable import AutoClusterSync

@Suite("The configuration")
struct ConfigurationTests {
    @Test(
        "An empty file, comments only, and nulls say nothing",
        arguments: ["", "# nothing\n", "---\n", "~", "node:\n  name:\n"])
    func emptyFiles(text: String) throws {
        #expect(try readSettings(text) == PartialSettings())
    }

    @Test("Without any configuration a node stands alone on port 8080 with ./todos.db")
    func defaults() throws {
        let settings = try Settings.resolve(FlagValues(), hostName: "machine")
        #expect(settings == Settings(nodeName: "machine"))
        #expect(settings.http == Settings.HTTP(host: "0.0.0.0", port: 8080))
        #expect(settings.database == Settings.Database(path: "./todos.db", synchronous: .full))
        #expect(settings.logLevel == .info && settings.cluster == nil)
    }

    @Test("The file of the original service starts a UDP node unchanged")
    func originalFile() throws {
        let settings = Settings(try readSettings(originalText), hostName: "machine")
        var cluster = Settings.Cluster(transport: .udp)
        cluster.bindAddress = HostAndPort(host: "127.0.0.1", port: 7946)
        cluster.seeds = [HostAndPort(host: "127.0.0.1", port: 7946)]
        var expected = Settings(nodeName: "node-1", cluster: cluster)
        expected.database.path = "./todos-node1.db"
        #expect(settings == expected)
    }

    @Test("Every shipped file is read without a fault")
    func shippedFiles() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: configs.path).filter { $0.hasSuffix(".yaml") }
        let others = transports.kinds.dropFirst().map { "local_\($0)" }
        let locals = (["local"] + others).flatMap { name in (1...3).map { "\(name)_\($0).yaml" } }
        #expect(Set(names) == Set(locals + ["reference.yaml"]))
        for name in names {
            let settings = try Settings.resolve(FlagValues(config: configs.appending(path: name).path))
            guard let cluster = settings.cluster else { continue }
            // `make run` finds its files by what they say.
            let prefix = cluster.transport == transports.standard ? "local_" : "local_\(cluster.transport.kind)_"
            #expect(name.hasPrefix(prefix))
        }
    }

    @Test("The three local files make one cluster", arguments: 1...3)
    func localFiles(number: Int) throws {
        let path = configs.appending(path: "local_\(number).yaml").path
        let settings = try Settings.resolve(FlagValues(config: path))
        let cluster = try #require(settings.cluster)
        #expect(settings.nodeName == "node-\(number)" && settings.http.port == UInt16(8079 + number))
        #expect(settings.database.path == "./todos-node\(number).db" && cluster.transport == .udp)
        #expect(cluster.bindAddress == HostAndPort(host: "127.0.0.1", port: UInt16(7945 + number)))
        #expect(cluster.seeds.map(\.description) == ["127.0.0.1:7946", "127.0.0.1:7947", "127.0.0.1:7948"])
    }

    @Test("The three local files for ZeroMQ make another cluster, which shares no name, port or file with the first")
    func localFilesForZMQ() throws {
        var seen: [String] = []
        for number in 1...3 {
            for name in ["local", "local_zmq"] {
                let path = configs.appending(path: "\(name)_\(number).yaml").path
                let settings = try Settings.resolve(FlagValues(config: path))
                let cluster = try #require(settings.cluster)
                seen += [settings.nodeName, settings.database.path, "\(settings.http.port)"]
                seen += [cluster.bindAddress, cluster.publishAddress].compactMap { $0?.port.description }
                guard name == "local_zmq" else { continue }
                #expect(cluster.transport == .zmq && cluster.publishAddress?.port == UInt16(7965 + number))
                #expect(cluster.seeds.map(\.description) == ["127.0.0.1:7956", "127.0.0.1:7957", "127.0.0.1:7958"])
                #expect(cluster.seeds.contains(cluster.bindAddress))
            }
        }
        #expect(Set(seen).count == seen.count, "\(seen)")
    }

    @Test("The reference file says what the defaults are")
    func referenceFile() throws {
        let path = configs.appending(path: "reference.yaml").path
        #expect(try Settings.resolve(FlagValues(config: path), hostName: "m") == Settings(nodeName: "m"))
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("join_timeout: 10\n") && text.contains("sync_timeout: 30\n"))
    }

    @Test("Every key is read")
    func everyKey() throws {
        let key = try ClusterKey.random()
        let text = """
            log_level: warn
            node:
              name: a node
              transport: { kind: zmq, bind_addr: "[::1]:0", advertise_addr: "example.org:7000", publish_addr: "[::]:0" }
              http:
                host: "::"
                port: 0
                tls: { cert: a.pem, key: b.pem, client_ca: c.pem }
                tokens_file: tokens
                limits:
                  header_bytes: 1024
                  header_field_bytes: 1048576
                  header_count: 16
                  body_bytes: 16777216
                  body_timeout: 0.5
                  idle_timeout: 3600
                  stall_timeout: 2
                  tls_handshake_timeout: 3
                  connections: 1
                  h2_streams: 1000
              database: { path: /tmp/x y.db, synchronous: normal }
            cluster:
              seeds: ["a.example:1", "[fe80::1]:65535", "10.0.0.1:7946"]
              join_timeout: 0.25
              sync_timeout: 3600
              encrypt_key: "\(key.base64)"
            """
        let settings = Settings(try readSettings(text), hostName: "machine")
        var cluster = Settings.Cluster(transport: .zmq)
        cluster.bindAddress = HostAndPort(host: "::1", port: 0)
        cluster.advertiseAddress = HostAndPort(host: "example.org", port: 7000)
        cluster.transportValues["publish_addr"] = .address(HostAndPort(host: "::", port: 0))
        cluster.seeds = [
            HostAndPort(host: "a.example", port: 1), HostAndPort(host: "fe80::1", port: 65535),
            HostAndPort(host: "10.0.0.1", port: 7946),
        ]
        (cluster.joinTimeout, cluster.syncTimeout, cluster.encryptKey) = (.milliseconds(250), .seconds(3600), key)
        var expected = Settings(logLevel: .warning, nodeName: "a node", cluster: cluster)
        expected.http = Settings.HTTP(
            host: "::", port: 0, tls: Settings.TLSFiles(certificate: "a.pem", key: "b.pem", clientCA: "c.pem"),
            tokens: .file("tokens"),
            limits: HTTPLimits(
                idleTimeout: .seconds(3600), stallTimeout: .seconds(2), bodyTimeout: .milliseconds(500),
                handshakeTimeout: .seconds(3), maximumHeaderFieldBytes: 1 << 20, maximumHeaderBytes: 1024,
                maximumHeaderCount: 16, maximumBodyBytes: 16 << 20, maximumConnections: 1, maximumStreams: 1000))
        expected.database = Settings.Database(path: "/tmp/x y.db", synchronous: .normal)
        #expect(settings == expected)
    }

    @Test(
        "A bind address or a list of seeds makes a cluster, nothing else does",
        arguments: [
            ("node: { transport: { bind_addr: 'a:1' } }", "a:1"), ("node: { serf: { bind_addr: 'a:1' } }", "a:1"),
            ("cluster: { seeds: [] }", "0.0.0.0:7946"), ("cluster: { seeds: ['b:1'] }", "0.0.0.0:7946"),
            ("cluster: { seeds: }", nil), ("node: { transport: { kind: zmq } }", nil),
            ("node: { transport: { bind_addr: '' } }", nil), ("cluster: { join_timeout: 1 }", nil),
        ])
    func clusterMode(text: String, bindAddress: String?) throws {
        #expect(Settings(try readSettings(text), hostName: "m").cluster?.bindAddress.description == bindAddress)
    }

    @Test("Every fault is reported at once, with key path, line, what was expected and what was found")
    func allFaultsAtOnce() {
        let faults = settingsFaults(
            """
            log_level: loud
            node:
              nmae: node-1
              http:
                port: eighty
              database: ./todos.db
            cluster:
              seeds: ["nowhere", "a:0"]
              join_timeout: -1
            extra: 1
            """)
        #expect(
            faults.map(\.description) == [
                "log_level (line 1): expected one of debug, info, warn, error, found \"loud\"",
                "node.nmae (line 3): unknown key; expected one of name, transport, serf, http, database",
                "node.http.port (line 5): expected a port from 0 to 65535 (0: any free one), found \"eighty\"",
                "node.database (line 6): expected a mapping with path, synchronous, found a single value",
                "cluster.seeds[0] (line 8): expected host:port or [address]:port with a port from 1 to 65535, "
                    + "found \"nowhere\"",
                "cluster.seeds[1] (line 8): expected host:port or [address]:port with a port from 1 to 65535, found \"a:0\"",
                "cluster.join_timeout (line 9): expected a number of seconds above 0 and up to 3600, found \"-1\"",
                "extra (line 10): unknown key; expected one of log_level, node, cluster",
            ])
    }

    @Test(
        "A wrong value is a fault at its key path",
        arguments: [
            ("- a", ""), ("just text", ""), ("log_level: INFO", "log_level"), ("log_level: [info]", "log_level"),
            ("node: []", "node"), ("node: { name: '' }", "node.name"), ("node: { name: \"a\\nb\" }", "node.name"),
            ("node: { name: \(String(repeating: "x", count: 129)) }", "node.name"),
            ("node: { http: 8080 }", "node.http"),
            ("node: { http: { port: 65536 } }", "node.http.port"), ("node: { http: { port: -1 } }", "node.http.port"),
            ("node: { http: { port: '8080' } }", "node.http.port"),
            ("node: { http: { port: 8080.0 } }", "node.http.port"),
            ("node: { http: { port: 0x50 } }", "node.http.port"), ("node: { http: { port: {} } }", "node.http.port"),
            ("node: { http: { port: 080 } }", "node.http.port"), ("node: { http: { port: +80 } }", "node.http.port"),
            ("node: { http: { port: '' } }", "node.http.port"), ("node: { http: { host: 'a b' } }", "node.http.host"),
            ("node: { http: { host: 'a:80' } }", "node.http.host"),
            ("node: { http: { host: '10.0.0.256' } }", "node.http.host"),
            ("node: { database: { path: '' } }", "node.database.path"),
            ("node: { database: { path: \"a\\0b\" } }", "node.database.path"),
            ("node: { database: { synchronous: off } }", "node.database.synchronous"),
            ("node: { transport: { kind: tcp } }", "node.transport.kind"),
            ("node: { transport: { bind_addr: 7946 } }", "node.transport.bind_addr"),
            ("node: { transport: { bind_addr: ':7946' } }", "node.transport.bind_addr"),
            ("node: { transport: { bind_addr: '::1:7946' } }", "node.transport.bind_addr"),
            ("node: { transport: { bind_addr: '[a]:7946' } }", "node.transport.bind_addr"),
            ("node: { transport: { bind_addr: 'a:70000' } }", "node.transport.bind_addr"),
            ("node: { transport: { advertise_addr: 'a:0' } }", "node.transport.advertise_addr"),
            ("node: { transport: { kind: zmq, publish_addr: 7947 } }", "node.transport.publish_addr"),
            ("node: { transport: { kind: zmq, publish_addr: 'a:70000' } }", "node.transport.publish_addr"),
            (
                "node: { transport: { kind: zmq, bind_addr: 'a:1', publish_addr: 'a:1' } }",
                "node.transport.publish_addr"
            ),
            ("node: { transport: { kind: udp, publish_addr: 'a:1' } }", "node.transport.publish_addr"),
            ("node: { transport: { publish_addr: 'a:1' } }", "node.transport.publish_addr"),
            ("node: { transport: { kind: tcp, publish_addr: 'a:1' } }", "node.transport.kind"),
            ("node: { serf: { bind_addr: nope } }", "node.serf.bind_addr"),
            ("node: { serf: { bind_addr: 'a:1' }, transport: { bind_addr: 'a:1' } }", "node.serf.bind_addr"),
            ("node: { serf: { bind_addr: 'a:1' }, transport: { kind: zmq } }", "node.serf.bind_addr"),
            ("cluster: { seeds: 'a:1' }", "cluster.seeds"), ("cluster: { seeds: { a: 1 } }", "cluster.seeds"),
            ("cluster: { seeds: ['a:1', ~] }", "cluster.seeds[1]"),
            ("cluster: { seeds: [['a:1']] }", "cluster.seeds[0]"),
            ("cluster: { seeds: [\(Array(repeating: "'a:1'", count: 257).joined(separator: ","))] }", "cluster.seeds"),
            ("cluster: { join_timeout: 0 }", "cluster.join_timeout"),
            ("cluster: { join_timeout: 10s }", "cluster.join_timeout"),
            ("cluster: { join_timeout: .inf }", "cluster.join_timeout"),
            ("cluster: { join_timeout: inf }", "cluster.join_timeout"),
            ("cluster: { join_timeout: nan }", "cluster.join_timeout"),
            ("cluster: { join_timeout: 1e9 }", "cluster.join_timeout"),
            ("cluster: { sync_timeout: 3600.1 }", "cluster.sync_timeout"),
            ("cluster: { sync_timeout: '5' }", "cluster.sync_timeout"),
            ("cluster: { encrypt_key: 'c2hvcnQ=' }", "cluster.encrypt_key"),
            ("cluster: { encrypt_key: [] }", "cluster.encrypt_key"),
            ("cluster: { \"se\\u0065ds\\u0301\": [] }", "cluster.seeds\u{301}"), ("1: 2", "1"), ("[a]: 1", ""),
        ])
    func wrongValues(text: String, location: String) {
        #expect(settingsFaults(text).map(\.location) == [location])
    }

    @Test(
        "A key given twice is a fault at its path, and hides no other fault",
        arguments: [
            ("node:\n  name: a\n  http: {port: 1}\n  name: b\nx: 1", ["node.name", "x"]),
            ("node: {http: {port: 1, port: x}}", ["node.http.port", "node.http.port"]),
            ("\"log_level\": info\nlog_level: debug", ["log_level"]),
            ("node: {}\ncluster: {seeds: [], seeds: []}\nnode: {}", ["node", "cluster.seeds"]),
            ("\u{e9}: 1\r\n\u{e9}: 1\r\nlog_level: info\r\nlog_level: info", ["\u{e9}", "\u{e9}", "log_level"]),
            ("log_level: info\nlog_level: info\nlog_level: info", ["log_level", "log_level"]),
        ])
    func duplicates(text: String, locations: [String]) {
        #expect(settingsFaults(text).map(\.location).sorted() == locations.sorted())
    }

    @Test("No message shows the key of the cluster")
    func secrecy() throws {
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"
        for text in [
            "cluster: {encrypt_key: '\(secret)'}", "encrypt_key: '\(secret)'", "cluster: {key: '\(secret)'}",
            "cluster: {encrypt_key: '\(secret)', encrypt_key: '\(secret)'}",
            "cluster: {encrypt_key: '\(secret)\n  x: [",
            "cluster: {encrypt_key: ['\(secret)']}", "cluster:\n  encrypt_key: \(secret): x: y",
        ] {
            let faults = settingsFaults(text)
            #expect(!faults.isEmpty && !faults.contains { $0.description.contains(secret) }, "\(text): \(faults)")
        }
        let short = try #require(settingsFaults("cluster: {encrypt_key: abc}").first)
        #expect(short.message.contains("-keygen") && short.message.contains("32 bytes"))
        let key = try ClusterKey(Array(0..<32))
        var cluster = Settings.Cluster(transport: .udp)
        cluster.encryptKey = key
        var dumped = ""
        dump(Settings(nodeName: "n", cluster: cluster), to: &dumped)
        let shown = "\(key) \(String(reflecting: key)) \(String(describing: Optional(key))) \(dumped) \(cluster)"
        #expect(!shown.contains(key.base64) && !shown.contains("17, 18"))
    }

    @Test(
        "What is no YAML is one fault with its line",
        arguments: [
            ("a: [", 2), ("a: b: c", 1), ("a: 1\n\tb: 2", 2), ("a: *b", 1), ("---\na\n---\nb", 3),
            ("a: \"\\ud800\"", 1),
        ])
    func syntax(text: String, line: Int) {
        let faults = settingsFaults(text)
        #expect(faults.count == 1 && faults.first?.message.hasPrefix("expected") == true)
        #expect(faults.first.flatMap(\.line).map { abs($0 - line) <= 1 } == true, "\(faults)")
    }

    @Test("Deep nesting, bombs of aliases and huge files are faults, soon")
    func bombs() throws {
        let clock = ContinuousClock()
        let bomb =
            "a: &a [x,x,x,x,x,x,x,x]\n"
            + zip("bcdefghij", "abcdefghi").map {
                "\($0): &\($0) [\(Array(repeating: "*\($1)", count: 9).joined(separator: ","))]\n"
            }
            .joined()
        let keys = "a: &a {x: y}\n? *a\n: 1\n? {b: *a, c: *a}\n: 2\n"
        let duration = clock.measure {
            for text in [
                bomb + "? *j\n: 1\n", bomb, keys, String(repeating: "[", count: 200_000),
                String(repeating: "- ", count: 200_000), String(repeating: "{a: ", count: 100_000),
                String(repeating: "? ", count: 100_000), (0..<20_000).map { "k\($0): v\n" }.joined(),
                String(repeating: "a: 1\n", count: 20_000),
            ] {
                #expect(!settingsFaults(text).isEmpty)
            }
        }
        #expect(duration < .seconds(30))
        let path = temporaryPath()
        try Data(repeating: UInt8(ascii: "#"), count: ConfigurationFile.maximumBytes).write(to: URL(filePath: path))
        #expect(try Settings.resolve(FlagValues(config: path), hostName: "m") == Settings(nodeName: "m"))
        try Data(repeating: UInt8(ascii: "#"), count: ConfigurationFile.maximumBytes + 1).write(to: URL(filePath: path))
        #expect(throws: ConfigurationError.self) { try Settings.resolve(FlagValues(config: path)) }
    }

    @Test("A file that is not there, is a directory, or is not UTF-8 is a fault that names it")
    func unreadable() throws {
        let binary = temporaryPath()
        try Data([0xff, 0xfe, 0]).write(to: URL(filePath: binary))
        for path in ["/nonexistent/x.yaml", "/tmp", binary, "/dev/zero"] {
            let error = #expect(throws: ConfigurationError.self) { try Settings.resolve(FlagValues(config: path)) }
            #expect(error?.description.hasPrefix("\(path): ") == true, "\(String(describing: error))")
        }
    }

    @Test("Flags beat the file, the file beats the defaults")
    func precedence() throws {
        let path = temporaryPath()
        try Data(originalText.utf8).write(to: URL(filePath: path))
        let flags = FlagValues(
            config: path, port: "0", db: "/tmp/x.db", nodeName: "other", serfAddr: "127.0.0.2:1", transport: "zmq")
        let settings = try Settings.resolve(flags)
        #expect(settings.http.port == 0 && settings.database.path == "/tmp/x.db" && settings.nodeName == "other")
        #expect(settings.cluster?.bindAddress.description == "127.0.0.2:1" && settings.cluster?.transport == .zmq)
        #expect(settings.cluster?.seeds.map(\.description) == ["127.0.0.1:7946"])
    }

    @Test("What a transport cannot do with publish_addr is said by key; a -transport flag decides which one it is")
    func publishAddress() throws {
        let path = temporaryPath()
        try Data("node: {transport: {bind_addr: 'a:1', publish_addr: 'a:2'}}".utf8).write(to: URL(filePath: path))
        let error = #expect(throws: ConfigurationError.self) { try Settings.resolve(FlagValues(config: path)) }
        let message = "node.transport.publish_addr (line 1): expected node.transport.kind zmq with it, found udp"
        #expect(error?.description == "\(path): \(message)")
        let chosen = try Settings.resolve(FlagValues(config: path, transport: "zmq"))
        #expect(chosen.cluster?.publishAddress?.description == "a:2")
        let flag = try Settings.resolve(
            FlagValues(config: path, transport: "zmq", transportValues: ["publish_addr": "b:0"]))
        #expect(flag.cluster?.publishAddress?.description == "b:0" && flag.cluster?.bindAddress.description == "a:1")
        #expect(try Settings.resolve(FlagValues(bindAddr: "a:1", transport: "zmq")).cluster?.publishAddress == nil)
        for flags in [
            FlagValues(transportValues: ["publish_addr": "a:2"]),
            FlagValues(transport: "udp", transportValues: ["publish_addr": "a:2"]),
            FlagValues(transport: "zmq", transportValues: ["publish_addr": "a"]),
            FlagValues(bindAddr: "a:2", transport: "zmq", transportValues: ["publish_addr": "a:2"]),
        ] {
            let error = #expect(throws: ConfigurationError.self) { try Settings.resolve(flags) }
            #expect(error?.faults.map(\.location) == ["-publish-addr"], "\(flags)")
        }
    }

    @Test("Faults of the flags and of the file are reported together")
    func flagFaults() throws {
        let path = temporaryPath()
        try Data("node: {http: {port: x}}".utf8).write(to: URL(filePath: path))
        let flags = FlagValues(
            config: path, port: "70000", db: "", nodeName: "", serfAddr: "a:1", bindAddr: "a:2", transport: "tcp")
        let error = #expect(throws: ConfigurationError.self) { try Settings.resolve(flags) }
        #expect(
            error?.faults.map(\.location) == [
                "node.http.port", "-port", "-db", "-node-name", "-transport", "-bind-addr",
            ])
        #expect(error?.description.split(separator: "\n").count == 6)
    }

    @Test(
        "Aliases behind the line breaks of Unicode, byte order marks and other characters are counted too",
        arguments: ["\u{85}", "\u{2028}", "\u{2029}", "\u{85}\u{feff}"])
    func hiddenAliases(separator: String) {
        // Each level is twice as long as the one before, and the key at the end is all of them.
        let levels = 24
        let bomb =
            "a0: &a0 [x,x]\n"
            + (1...levels).map { "a\($0): &a\($0) [\(separator)*a\($0 - 1),\(separator)*a\($0 - 1)]\n" }.joined()
        let duration = ContinuousClock().measure { #expect(!settingsFaults(bomb + "? *a\(levels)\n: 1\n").isEmpty) }
        #expect(duration < .seconds(5))
    }

    @Test("A key is the standard's base64, with one text for each value")
    func keyTexts() throws {
        for seed in 0..<70 {
            let bytes = (0..<32).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ seed) }
            let key = try ClusterKey(bytes)
            #expect(key.base64 == Data(bytes).base64EncodedString() && key.bytes == bytes)
            #expect(ClusterKey(base64: key.base64) == key)
        }
        let text = try ClusterKey([UInt8](repeating: 0xff, count: 32)).base64
        #expect(text.hasSuffix("/8="))
        let unpadded = String(text.dropLast())
        let short = String(text.dropLast(4))
        var others: [String] = ["", " \(text)", "\(text)\n", "\(text)=", "\(text)\0", "AAAA\(text)", "\(text)AAAA"]
        others += [unpadded, "\(unpadded)\0", short, "\(short)////", "\(text.dropLast(2))9=", "é\(text.dropFirst(2))"]
        others.append(text.replacing("/", with: "_"))
        for other in others {
            #expect(ClusterKey(base64: other) == nil, "\(other)")
        }
        #expect(try ClusterKey.random() != ClusterKey.random())
    }

    @Test("A transport may have settings that this program has never heard of")
    func foreignSettings() throws {
        let transports = TransportRegistry([.udp, foreign])
        let text = "node: {transport: {kind: carrier, bind_addr: 'a:1', loft: ROOF, way_station: 'b:2'}}"
        let partial = try PartialSettings(yaml: text, transports: transports)
        let expected: [String: TransportValue] = [
            "loft": .text("ROOF"), "way_station": .address(HostAndPort(host: "b", port: 2)),
        ]
        #expect(partial.transport == foreign && partial.transportValues == expected)
        for (text, message) in [
            ("{kind: carrier, loft: 'no'}", "node.transport.loft (line 1): expected capitals, found \"no\""),
            ("{loft: ROOF}", "node.transport.loft (line 1): expected node.transport.kind carrier with it, found udp"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try PartialSettings(yaml: "node: {transport: \(text)}", transports: transports)
            }
            #expect(error?.description == message)
        }
    }
}

/// A transport of somebody else.
private let foreign = TransportPlugin(
    kind: "carrier",
    options: [
        TransportOption(
            "loft", .text(expectation: "capitals", accepts: { $0.allSatisfy(\.isUppercase) }), help: "Where it lives."),
        TransportOption("way_station", .address, help: "Where it rests."),
    ]
) { _ throws(TransportError) in
    throw .failed(reason: "it has flown away")
}

extension Settings.Cluster {
    fileprivate var publishAddress: HostAndPort? {
        if case .address(let address) = transportValues["publish_addr"] { address } else { nil }
    }
}

private let originalText = """
    # Log level: debug, info, warn, error (default: info)
    log_level: "info"

    node:
      name: "node-1"
      serf:
        bind_addr: "127.0.0.1:7946"
      http:
        port: 8080
      database:
        path: "./todos-node1.db"

    cluster:
      seeds:
        - "127.0.0.1:7946"
      join_timeout: 10
    """

private let configs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../configs").standardized

private func temporaryPath() -> String { NSTemporaryDirectory() + "configuration-\(UUID().uuidString).yaml" }
