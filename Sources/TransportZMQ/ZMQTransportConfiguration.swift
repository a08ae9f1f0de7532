package import Keys
package import Transport

/// Settings of `ZMQTransport`. The defaults suit a local network; `validate()` says what is wrong with others. Options of
/// libzmq stand in `SocketKind`.
package struct ZMQTransportConfiguration: Sendable {
    /// Where the ROUTER listens: the address that peers and seeds use. Port 0 takes a free one. Default 127.0.0.1:0.
    package var bindAddress = PeerAddress(host: .v4(0x7f00_0001), port: 0)
    /// Where the XPUB listens, which peers are told when they connect. Default: the host of `bindAddress` and a port that
    /// the system chooses. Set it where a firewall has to know the port.
    package var publishAddress: PeerAddress?
    /// The cluster key; `nil` speaks in clear.
    package var key: ClusterKey?
    /// Versions of the protocol that this node speaks. Default: all that this build knows. Another range is for tests of
    /// an upgrade.
    package var versions = ZMQTransport.versions
    /// Most bytes of arrived membership messages that wait for their consumer, 64 added per message. Default 4 MiB.
    package var maxMembershipArrivalBytes = 4 * 1024 * 1024
    /// The same for replication. Default 16 MiB.
    package var maxReplicationArrivalBytes = 16 * 1024 * 1024
    /// Most bytes of messages that wait for the thread, per channel, 64 added per message. Default 8 MiB.
    package var maxWaitingBytes = 8 * 1024 * 1024
    /// Most exchanges at once that peers opened; and again most that we opened. Default 128.
    package var maxExchanges = 128
    /// Most exchanges at once that one IP address opened. Default 64: several nodes may share a host.
    package var maxExchangesPerHost = 64
    /// Most connections at once to each of the two bound sockets. Default 4,096.
    package var maxConnections = 4_096
    /// Most links that this node makes at once. Default 4,096.
    package var maxLinks = 4_096
    /// Time for a link to be made, or for an exchange to be accepted. Default 5 s.
    package var answerTimeout: Duration = .seconds(5)
    /// An exchange on which nothing moved for this long is closed. Default 30 s.
    package var idleTimeout: Duration = .seconds(30)
    /// How long `close` waits for the peer to take what was sent. Default 5 s.
    package var lingerTimeout: Duration = .seconds(5)
    /// A link to somebody who is no peer and that nobody used for this long is closed. Default 30 s.
    package var strangerTimeout: Duration = .seconds(30)

    package init() {}

    /// Throws `invalidConfiguration` with all faults, by key.
    package func validate() throws(TransportError) {
        var faults: [String] = []
        let counts = [
            ("maxMembershipArrivalBytes", maxMembershipArrivalBytes, 4_096),
            ("maxReplicationArrivalBytes", maxReplicationArrivalBytes, 4_096),
            ("maxWaitingBytes", maxWaitingBytes, 65_536),
            ("maxExchanges", maxExchanges, 1), ("maxExchangesPerHost", maxExchangesPerHost, 1),
            ("maxConnections", maxConnections, 1), ("maxLinks", maxLinks, 1),
        ]
        for (key, value, least) in counts where value < least || value > 1 << 30 {
            faults.append("\(key) is \(value), it must be between \(least) and \(1 << 30)")
        }
        let times = [
            ("answerTimeout", answerTimeout), ("idleTimeout", idleTimeout), ("lingerTimeout", lingerTimeout),
            ("strangerTimeout", strangerTimeout),
        ]
        for (key, value) in times where value <= .zero || value > .seconds(3_600) {
            faults.append("\(key) is \(value), it must be positive and at most an hour")
        }
        if versions.lowerBound == 0 { faults.append("versions is \(versions), versions begin with 1") }
        if !faults.isEmpty { throw .invalidConfiguration(reason: faults.joined(separator: "; ")) }
    }
}
