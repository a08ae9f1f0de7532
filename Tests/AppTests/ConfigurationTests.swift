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
              bootstrap: true
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
        cluster.isBootstrap = true
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
