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

@Suite("Configuration files that are shipped")
struct ShippedConfigurationTests {
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
}

private let configs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../configs").standardized
