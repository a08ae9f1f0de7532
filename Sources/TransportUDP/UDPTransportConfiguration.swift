package import Keys
package import Transport

/// Settings of `UDPTransport`. The defaults suit a local network; `validate()` says what is wrong with others.
package struct UDPTransportConfiguration: Sendable {
    /// Where to bind, UDP and TCP alike. Port 0 takes a port that is free for both. Default 127.0.0.1:0.
    package var bindAddress = PeerAddress(host: .v4(0x7f00_0001), port: 0)
    /// The cluster key; `nil` speaks in clear.
    package var key: ClusterKey?
    /// Finds the end of a message of the membership channel in a clear stream: such streams are memberlist's and
    /// carry no length in front. The default knows none, so that clear membership exchanges fail.
    package var membershipStreamEnd: StreamFraming.Finder = { _ in .invalid }
    /// Fan-out, queues and pacing. `packetContentBytes` is set by the transport.
    package var gossip = GossipConfiguration()
    /// Seed of the random choices of gossip; `nil` takes a random one.
    package var seed: UInt64?
    /// Most bytes of arrived membership messages that wait for their consumer, 64 added per message. Default 4 MiB.
    package var maxMembershipArrivalBytes = 4 * 1024 * 1024
    /// The same for replication. Default 16 MiB.
    package var maxReplicationArrivalBytes = 16 * 1024 * 1024
    /// Most exchanges at once that peers opened, those in their handshake included; and again most that we opened.
    /// Default 128.
    package var maxExchanges = 128
    /// Most exchanges at once that one IP address opened. Default 64: several nodes may share a host.
    package var maxExchangesPerHost = 64
    /// Time to connect. Default 3 s, between the second and the third try of TCP.
    package var connectTimeout: Duration = .seconds(3)
    /// Time for both sides to agree on version and key. Default 5 s.
    package var handshakeTimeout: Duration = .seconds(5)
    /// An exchange on which nothing moved for this long is closed. Default 30 s.
    package var idleTimeout: Duration = .seconds(30)
    /// How long `close` waits for the peer to take what was sent. Default 5 s.
    package var lingerTimeout: Duration = .seconds(5)
    /// Receive buffer that is asked of the system for packets. Default 4 MiB; where the process may not have it the
    /// system gives what `net.core.rmem_max` says.
    package var receiveBufferBytes = 4 * 1024 * 1024

    package init() {}

    /// Throws `invalidConfiguration` with all faults, by key.
    package func validate() throws(TransportError) {
        var faults = gossip.faults()
        let counts = [
            ("maxMembershipArrivalBytes", maxMembershipArrivalBytes, 4_096),
            ("maxReplicationArrivalBytes", maxReplicationArrivalBytes, 4_096),
            ("maxExchanges", maxExchanges, 1), ("maxExchangesPerHost", maxExchangesPerHost, 1),
            ("receiveBufferBytes", receiveBufferBytes, 65_536),
        ]
        for (key, value, least) in counts where value < least || value > 1 << 30 {
            faults.append("\(key) is \(value), it must be between \(least) and \(1 << 30)")
        }
        let times = [
            ("connectTimeout", connectTimeout), ("handshakeTimeout", handshakeTimeout), ("idleTimeout", idleTimeout),
            ("lingerTimeout", lingerTimeout),
        ]
        for (key, value) in times where value <= .zero || value > .seconds(3_600) {
            faults.append("\(key) is \(value), it must be positive and at most an hour")
        }
        if !faults.isEmpty { throw .invalidConfiguration(reason: faults.joined(separator: "; ")) }
    }
}
