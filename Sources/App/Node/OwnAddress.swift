internal import NIOCore
internal import NIOPosix
internal import Transport

/// Which address others are told to dial.
enum OwnAddress {
    /// The configured one, else the bound one; where that is a wildcard, the first address of this machine that is not
    /// loopback.
    static func advertised(bound: PeerAddress, configured: HostAndPort?) async throws -> PeerAddress {
        if let configured {
            let port = configured.port == 0 ? bound.port : configured.port
            guard let address = await Resolver.resolve(host: configured.host, port: port).first else {
                throw StartError.unknownHost(configured.host, key: "node.transport.advertise_addr")
            }
            return address
        }
        guard bound.isUnspecified else { return bound }
        let own = interfaces(port: bound.port)
        return own.first { !$0.isLoopback } ?? own.first ?? PeerAddress(host: .v4(0x7f00_0001), port: bound.port)
    }

    /// All addresses that lead to a node bound at `bound`.
    static func all(bound: PeerAddress) -> [PeerAddress] {
        bound.isUnspecified ? interfaces(port: bound.port) : [bound]
    }

    /// IPv4 first; link-local IPv6 addresses mean nothing to others.
    private static func interfaces(port: UInt16) -> [PeerAddress] {
        let devices = (try? System.enumerateDevices()) ?? []
        let texts = devices.compactMap { $0.address?.ipAddress }
        return texts.filter { !$0.hasPrefix("fe80") }
            .compactMap { PeerAddress($0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)") }.sorted()
    }
}
