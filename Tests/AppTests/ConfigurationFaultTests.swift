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

@Suite("Faults of the configuration")
struct ConfigurationFaultTests {
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
}
