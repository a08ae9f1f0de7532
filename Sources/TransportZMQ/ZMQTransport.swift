package import Transport

/// ZeroMQ: PUB/SUB for broadcasts, DEALER/ROUTER for unicasts and exchanges, CURVE with a key. `DESIGN.md` beside this
/// file has the promises, layouts and limits.
package final class ZMQTransport: Transport {
    /// The versions of the protocol that this build speaks.
    package static let versions = Hello.versions

    package let kind = "zmq"
    package let boundAddress: PeerAddress
    /// Where the XPUB listens.
    package let publishAddress: PeerAddress
    package let maxMessageBytes = BroadcastPacker.maxMessageBytes(in: ZMQLoop.maxFrameBytes)
    package let maxExchangeMessageBytes = ExchangeStream.maxMessageBytes

    private let port: ZMQPort

    /// Binds both sockets on a thread of its own, which waits for `run`. Takes some milliseconds. Throws
    /// `invalidConfiguration`, `addressInUse`, `cannotBind` or `failed`, and then leaves nothing behind.
    package static func bind(_ configuration: ZMQTransportConfiguration) throws(TransportError) -> ZMQTransport {
        try configuration.validate()
        let port = ZMQPort(configuration)
        let addresses = try port.start()
        return ZMQTransport(port, addresses)
    }

    private init(_ port: ZMQPort, _ addresses: ZMQPort.Addresses) {
        self.port = port
        boundAddress = addresses.router
        publishAddress = addresses.publisher
    }

    deinit { port.abandon() }

    package func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        guard message.count <= maxMessageBytes else { return port.drop(.tooLarge) }
        port.enqueue(.send(message, peer), on: channel)
    }

    package func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        guard message.count <= maxMessageBytes else { return port.drop(.tooLarge) }
        port.enqueue(.broadcast(message, options), on: channel)
    }

    package func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        try await port.exchange(on: channel, with: peer)
    }

    package func arrivals(on channel: Channel) -> BatchQueue<Arrival> { port.arrivals[Int(channel.rawValue)] }

    package func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { port.accepted[Int(channel.rawValue)] }

    package var events: BatchQueue<TransportEvent> { port.events.queue }

    /// See `Transport`.
    package var stats: TransportStats { port.stats }

    package func setPeers(_ peers: [Peer]) { port.setPeers(peers) }

    /// May be called once. See `Transport.run`.
    package func run() async throws(TransportError) { try await port.run() }

    /// What is open now, for tests that look for leaks.
    package func counts() async -> ZMQCounts { await port.counts() }
}

/// What a transport holds.
package struct ZMQCounts: Hashable, Sendable {
    /// Sockets of libzmq and other descriptors that the thread waits for.
    package var sources: Int
    /// Links that this node made, and links that others made.
    package var links: Int
    package var acceptedLinks: Int
    package var exchanges: Int
    /// Publishers that this node is subscribed to.
    package var subscriptions: Int
}
