internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Transport

/// Which address others are told to dial.
enum OwnAddress {
    /// The configured one, else the bound one; where that is a wildcard, the address from which this machine would send
    /// to a seed, or to the world. (The first interface may be a bridge that nobody else can reach.)
    static func advertised(
        bound: PeerAddress, configured: HostAndPort?, seeds: [HostAndPort]
    ) async throws -> PeerAddress {
        if let configured {
            let port = configured.port == 0 ? bound.port : configured.port
            guard let address = await Resolver.resolve(host: configured.host, port: port).first else {
                throw StartError.unknownHost(configured.host, key: "node.transport.advertise_addr")
            }
            return address
        }
        guard bound.isUnspecified else { return bound }
        let own = interfaces(port: bound.port)
        let targets = seeds.compactMap { PeerAddress($0.description) }.filter { !own.contains($0) }
        // A documentation address (RFC 5737): nothing is sent, only the route is looked up.
        for target in targets + [PeerAddress(host: .v4(0xc000_0201), port: 9)] {
            if let source = source(towards: target, port: bound.port) { return source }
        }
        return own.first { !$0.isLoopback } ?? own.first ?? PeerAddress(host: .v4(0x7f00_0001), port: bound.port)
    }

    /// The address that the system would send from: what a connected datagram socket is bound to.
    private static func source(towards target: PeerAddress, port: UInt16) -> PeerAddress? {
        guard case .v4 = target.host else { return nil }
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(target.port).bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: target.hostBytes) }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { return nil }
        let bytes = withUnsafeBytes(of: address.sin_addr) { Array($0) }
        return PeerAddress(hostBytes: bytes[...], port: port).flatMap { $0.isUnspecified ? nil : $0 }
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
