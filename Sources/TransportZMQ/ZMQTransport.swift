package import Transport
import TransportKit

/// ZeroMQ: PUB/SUB for broadcasts, DEALER/ROUTER for unicasts and exchanges, CURVE with a key. `DESIGN.md` beside this
/// file has the promises, layouts and limits.
package final class ZMQTransport: Transport {
    /// The versions of the protocol that this build speaks.
    package static let versions = Hello.versions

    package let kind = "zmq"
    package let boundAddress: PeerAddress
    /// Where the XPUB listens.
    package let publishAddress: PeerAddress
    package let maxMessageBytes = BroadcastPacker.maxMessageBytes(in: Publisher.maxFrameBytes)
    package let maxExchangeMessageBytes = ExchangeStream.maxMessageBytes

    private let port: ZMQPort
    private let idle: IdleLoop

    /// Makes and binds all sockets, which takes some milliseconds and no network. Throws `invalidConfiguration`,
    /// `addressInUse`, `cannotBind` or `failed`, and then leaves nothing behind.
    package static func bind(_ configuration: ZMQTransportConfiguration) throws(TransportError) -> ZMQTransport {
        try configuration.validate()
        let port = try ZMQPort(configuration)
        return ZMQTransport(port, try ZMQLoop(port: port))
    }

    private init(_ port: ZMQPort, _ loop: ZMQLoop) {
        self.port = port
        idle = IdleLoop(loop)
        boundAddress = loop.addresses.router
        publishAddress = loop.addresses.publisher
    }

    package func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        guard message.count <= maxMessageBytes else { return port.drop(.tooLarge) }
        port.orders.enqueue(.send(message, peer), on: channel)
    }

    package func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        guard message.count <= maxMessageBytes else { return port.drop(.tooLarge) }
        port.orders.enqueue(.broadcast(message, options), on: channel)
    }

    package func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        try await port.exchange(on: channel, with: peer)
    }

    package func arrivals(on channel: Channel) -> BatchQueue<Arrival> { port.inlets.arrivals[channel] }

    package func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { port.inlets.exchanges[channel] }

    package var events: BatchQueue<TransportEvent> { port.inlets.events.queue }

    /// See `Transport`.
    package var stats: TransportStats { port.stats }

    package func setPeers(_ peers: [Peer]) { port.orders.setPeers(peers) }

    /// May be called once. See `Transport.run`.
    package func run() async throws(TransportError) {
        guard let loop = idle.take() else { throw .failed(reason: "run was called twice") }
        try await port.run(loop)
    }
}
