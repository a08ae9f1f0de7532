internal import Glibc
internal import NIOPosix
internal import Transport

/// The system's name service. It blocks, so it is asked on threads that may.
enum Resolver {
    /// All addresses of `host:port`, IPv4 first; empty when the name is unknown or the service does not answer.
    static func resolve(_ text: String) async -> [PeerAddress] {
        if let address = PeerAddress(text) { return [address] }
        guard let (host, port) = PeerAddress.split(text) else { return [] }
        return await resolve(host: host, port: port)
    }

    static func resolve(host: String, port: UInt16) async -> [PeerAddress] {
        // The C call cannot be ended: a task that is cancelled leaves it behind on its thread.
        let answers = BatchQueue<[PeerAddress]>(maxCount: 1)
        NIOThreadPool.singleton.submit { _ in answers.append([lookUp(host, port)]) }
        return await answers.next()?.first ?? []
    }

    private static func lookUp(_ host: String, _ port: UInt16) -> [PeerAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var addresses: [PeerAddress] = []
        var next = first
        while let entry = next {
            if let address = address(entry.pointee, port), !addresses.contains(address) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        return addresses.sorted()
    }

    private static func address(_ entry: addrinfo, _ port: UInt16) -> PeerAddress? {
        guard let socketAddress = entry.ai_addr else { return nil }
        let raw = UnsafeRawPointer(socketAddress)
        switch entry.ai_family {
        case AF_INET:
            let bytes = withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { Array($0) }
            return PeerAddress(hostBytes: bytes[...], port: port)
        case AF_INET6:
            let bytes = withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { Array($0) }
            return PeerAddress(hostBytes: bytes[...], port: port)
        default: return nil
        }
    }
}
