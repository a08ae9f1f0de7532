import Keys
import Testing
import Transport
import TransportConformance
import TransportKit
import TransportTCP
import TransportUDP
import TransportZMQ

private let tcp = [TestedPlugin("tcp") { TCPFixture() }]
private let others = [TransportPlugin.udp, .zmq].map { plugin in
    TestedPlugin(plugin.kind) { PluginFixture(plugin: plugin) }
}

@Suite("TCP keeps its promises", .serialized)
struct ConformanceTests {
    @Test("What is promised holds", arguments: Conformance.cases(over: tcp))
    func promise(_ promise: ConformanceCase) async throws { try await promise.run() }

    @Test(
        "Other plugins are known for others",
        arguments: Conformance.meetings(of: tcp, with: others) + Conformance.meetings(of: others, with: tcp))
    func meeting(_ meeting: ConformanceCase) async throws { try await meeting.run() }
}

private struct TCPFixture: TransportFixture {
    /// Connections come from a port of the moment.
    let namesHostsOnly = true

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        let key: ClusterKey? = if let bytes = options.key { try ClusterKey(bytes) } else { nil }
        return try TCPTransport(
            options.bindAddress, key: key, maxArrivalBytes: options.maxArrivalBytes ?? 16 << 20,
            maxConnections: options.maxExchanges ?? 512, dialTimeout: ConformanceTimes.dial)
    }
}

/// A transport as a program makes it: only good for being met.
private struct PluginFixture: TransportFixture {
    let plugin: TransportPlugin

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        let key: ClusterKey? = if let bytes = options.key { try ClusterKey(bytes) } else { nil }
        return try plugin.make(
            TransportSettings(bindAddress: options.bindAddress, key: key, membershipStreamEnd: TestMessage.end))
    }
}
