import Keys
import Testing
import Transport
import TransportConformance
import TransportInMemory
import TransportUDP
import TransportZMQ

/// The plugins that the suite runs over. A further one is one line here, and a fixture.
let allPlugins = [
    TestedPlugin("memory") { MemoryFixture() },
    TestedPlugin("udp") { UDPFixture() },
    TestedPlugin("zmq") { ZMQFixture() },
]

let plugins = Conformance.chosen(allPlugins)

struct MemoryFixture: TransportFixture {
    private let network = InMemoryNetwork()

    let usesSockets = false

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = InMemoryConfiguration()
        configuration.key = options.key
        configuration.answerTimeout = ConformanceTimes.dial
        if let bytes = options.maxArrivalBytes { configuration.maxArrivalBytes = bytes }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        return try network.bind(options.address, configuration: configuration)
    }

    func unusedAddress() -> PeerAddress { PeerAddress(host: .v4(0x7f00_0001), port: 60_001) }

    func silentAddress(_ listeners: SilentListeners) -> PeerAddress {
        let address = PeerAddress(host: .v4(0x7f00_0001), port: 60_002)
        network.silence(address)
        return address
    }
}

struct UDPFixture: TransportFixture {
    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = UDPTransportConfiguration()
        configuration.bindAddress = options.bindAddress
        if let key = options.key { configuration.key = try ClusterKey(key) }
        if let bytes = options.maxArrivalBytes {
            configuration.maxMembershipArrivalBytes = bytes
            configuration.maxReplicationArrivalBytes = bytes
        }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        configuration.handshakeTimeout = ConformanceTimes.dial
        configuration.connectTimeout = ConformanceTimes.dial
        configuration.membershipStreamEnd = TestMessage.end
        return try UDPTransport.bind(configuration)
    }
}

struct ZMQFixture: TransportFixture {
    let namesHostsOnly = true
    /// libzmq greets whoever connects.
    let speaksFirst = true

    /// A peer says when it gets what is broadcast.
    func settle(_ nodes: [TestNode]) async {
        for node in nodes {
            let others = Set(nodes.map(\.address)).subtracting([node.address])
            await eventually("all are connected") { node.connected.isSuperset(of: others) }
        }
    }

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = ZMQTransportConfiguration()
        configuration.bindAddress = options.bindAddress
        if let key = options.key { configuration.key = try ClusterKey(key) }
        if let bytes = options.maxArrivalBytes {
            configuration.maxMembershipArrivalBytes = bytes
            configuration.maxReplicationArrivalBytes = bytes
        }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        configuration.answerTimeout = ConformanceTimes.dial
        return try ZMQTransport.bind(configuration)
    }
}
