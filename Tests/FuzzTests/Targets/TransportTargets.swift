import Transport

extension FuzzTarget {
    static let transport = [
        FuzzTarget(
            name: "addresses",
            tokens: ["[", "]", "::", "-0", "+", "%eth0", "\u{0}", "٣", "65536"].map { Array($0.utf8) },
            samples: { random in
                (0..<200).map { _ in
                    random.bool() ? Array("\(random.address())".utf8) : Array("\(NodeID(random.number()))".utf8)
                }
            }, check: checkAddress)
    ]

    private static func checkAddress(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        if let (host, port) = PeerAddress.split(text) {
            let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
            let again = PeerAddress.split(isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)")
            try require(again.map { $0 == host && $1 == port } == true, "\(text) is split otherwise when written again")
        }
        if let address = PeerAddress(text) {
            try require(PeerAddress(address.description) == address, "\(text) is read as \(address)")
            let isPlain = input.allSatisfy { Array("0123456789abcdefABCDEF:.[]".utf8).contains($0) }
            try require(isPlain, "\(text) is read as \(address)")
        }
        if let id = NodeID(text) {
            try require(id.description == text.lowercased(), "\(text) is read as \(id)")
        }
    }
}
