import Transport

/// What this start of the node says of itself, and where its links come from.
struct LocalEnd {
    /// Where the ROUTER and the XPUB listen.
    struct Addresses: Sendable {
        var router: PeerAddress
        var publisher: PeerAddress
    }

    let addresses: Addresses
    /// The versions of the protocol that this node speaks.
    let versions: ClosedRange<UInt8>
    /// The id of this start: its broadcasts are numbered within it.
    let streamID = UInt64.random(in: 1 ... .max)

    /// What a hello and a welcome of this node say.
    var hello: Hello {
        let published = addresses.publisher
        let isElsewhere = !published.isUnspecified && published.host != addresses.router.host
        return Hello(
            versions: versions, stream: streamID, port: addresses.router.port, publishPort: published.port,
            publishHost: isElsewhere ? published.host : nil)
    }

    /// Where to connect from. A node that is bound to one address connects from it, since others know the node by it.
    func source(towards address: PeerAddress) -> PeerAddress? {
        let own = addresses.router
        return own.isUnspecified || own.isV6 != address.isV6 ? nil : own.with(port: 0)
    }

    /// What libzmq is to connect to.
    func endpoint(of address: PeerAddress) -> String {
        guard let source = source(towards: address) else { return "tcp://\(address)" }
        return "tcp://\(source);\(address)"
    }
}

extension PeerAddress {
    /// Whether it is an IPv6 address.
    var isV6: Bool {
        if case .v6 = host { true } else { false }
    }
}
