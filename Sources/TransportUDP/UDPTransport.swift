package import Transport
internal import TransportKit

/// Raw UDP packets for messages, TCP on the same port number for exchanges; memberlist's layout, so that Serf agents
/// can be members. `DESIGN.md` beside this file has the promises, layouts and limits.
package final class UDPTransport: Transport {
    package let kind = "udp"
    package let boundAddress: PeerAddress
    package let maxMessageBytes: Int
    package let maxExchangeMessageBytes = ExchangeSession.maxMessageBytes

    private let inlets: Inlets
    private let port: DatagramPort
    private let hub: ExchangeHub

    private init(_ configuration: UDPTransportConfiguration, _ sockets: consuming BoundSockets) throws(TransportError) {
        var configuration = configuration
        if configuration.key != nil { configuration.gossip.packetContentBytes -= PacketSeal.overheadBytes }
        inlets = Inlets(
            maxArrivalBytes: PerChannel(
                membership: configuration.maxMembershipArrivalBytes,
                replication: configuration.maxReplicationArrivalBytes),
            maxExchanges: configuration.maxExchanges)
        boundAddress = sockets.address
        maxMessageBytes = configuration.gossip.packetContentBytes - 1
        port = try DatagramPort(
            descriptor: sockets.takeDatagram(), bound: sockets.address, configuration: configuration, inlets: inlets)
        hub = ExchangeHub(listener: sockets.takeStream(), configuration: configuration, inlets: inlets)
    }

    /// Binds UDP and TCP on one port and listens. Nothing moves before `run`; connections wait in the system's queue.
    /// Throws `invalidConfiguration`, `addressInUse` or `cannotBind`, and then leaves nothing open.
    package static func bind(_ configuration: UDPTransportConfiguration) throws(TransportError) -> UDPTransport {
        try configuration.validate()
        let sockets = try BoundSockets(
            configuration.bindAddress, receiveBufferBytes: configuration.receiveBufferBytes)
        return try UDPTransport(configuration, sockets)
    }

    package func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        port.enqueue(.send(message, channel, peer), on: channel)
    }

    package func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        port.enqueue(.broadcast(message, channel, options), on: channel)
    }

    package func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        try await hub.dial(peer, on: channel)
    }

    package func arrivals(on channel: Channel) -> BatchQueue<Arrival> { inlets.arrivals[channel] }

    package func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { inlets.exchanges[channel] }

    package var events: BatchQueue<TransportEvent> { inlets.events.queue }

    /// See `Transport`.
    package var stats: TransportStats {
        var stats = port.stats
        inlets.complete(&stats)
        stats.openExchanges = hub.openCount
        return stats
    }

    package func setPeers(_ peers: [Peer]) { port.setPeers(peers) }

    /// May be called once. See `Transport.run`.
    package func run() async throws(TransportError) {
        let result = await withTaskGroup(of: Result<Void, TransportError>.self) { group in
            group.addTask { await Self.outcome { () async throws(TransportError) in try await self.port.run() } }
            group.addTask { await Self.outcome { () async throws(TransportError) in try await self.hub.run() } }
            // Whichever half ends first, by cancellation or failure, takes the other with it.
            let first = await group.next() ?? .success(())
            group.cancelAll()
            let second = await group.next() ?? .success(())
            if case .failure = first { return first }
            return second
        }
        inlets.finish()
        try result.get()
    }

    private static func outcome(
        _ body: () async throws(TransportError) -> Void
    ) async -> Result<Void, TransportError> {
        do {
            try await body()
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}
