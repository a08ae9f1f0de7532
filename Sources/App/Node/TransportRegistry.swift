internal import Keys
internal import Membership
internal import Transport
internal import TransportUDP
internal import TransportZMQ

/// The transports that the configuration can name. A further one is one line here.
enum TransportRegistry {
    typealias Factory = @Sendable (TransportSettings) throws -> any Transport

    private static let factories: [String: Factory] = [
        "udp": makeUDP,
        "zmq": makeZMQ,
    ]

    /// What `node.transport.kind` may say, the default first.
    static var kinds: [String] { ["udp"] + factories.keys.filter { $0 != "udp" }.sorted() }

    /// Binds the transport of that kind. Throws `TransportError`, or `StartError` for a kind that is not built in.
    static func make(_ kind: String, _ settings: TransportSettings) throws -> any Transport {
        guard let factory = factories[kind] else { throw StartError.unknownTransport(kind) }
        return try factory(settings)
    }

    @Sendable private static func makeUDP(_ settings: TransportSettings) throws -> any Transport {
        var configuration = UDPTransportConfiguration()
        configuration.bindAddress = settings.bindAddress
        if let key = settings.key { configuration.key = try Keys.ClusterKey(key.bytes) }
        configuration.membershipStreamEnd = MemberlistCodec.streamEnd
        return try UDPTransport.bind(configuration)
    }

    @Sendable private static func makeZMQ(_ settings: TransportSettings) throws -> any Transport {
        var configuration = ZMQTransportConfiguration()
        configuration.bindAddress = settings.bindAddress
        configuration.publishAddress = settings.publishAddress
        if let key = settings.key { configuration.key = try Keys.ClusterKey(key.bytes) }
        return try ZMQTransport.bind(configuration)
    }
}

/// What every transport is told.
struct TransportSettings: Sendable {
    var bindAddress: PeerAddress
    /// Where ZeroMQ publishes; `nil`: the host of `bindAddress` and any free port. Other transports do not look at it.
    var publishAddress: PeerAddress?
    var key: ClusterKey?
}
