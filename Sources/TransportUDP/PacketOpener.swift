package import Transport

/// The first look at an arriving packet: whether it is sealed, whether that fits this node, and its content if so.
package struct PacketOpener: Sendable {
    /// What became of a packet.
    package enum Outcome: Equatable, Sendable {
        case content(ArraySlice<UInt8>)
        /// Turned away; `refusal` where the operator should hear of the sender.
        case dropped(DropCause, refusal: Refusal?)
    }

    private let seal: PacketSeal?

    /// Without a seal the node speaks in clear.
    package init(seal: PacketSeal?) { self.seal = seal }

    /// Decides from the first two bytes and, for sealed packets, from the tag.
    package func open(_ packet: ArraySlice<UInt8>) -> Outcome {
        guard let first = packet.first else { return .dropped(.malformed, refusal: nil) }
        // Every clear memberlist message with a low type goes on with a msgpack map; sealed packets have a nonce whose
        // first bit is 0 there (see PacketSeal).
        let second = packet.dropFirst().first ?? 0
        let looksSealed = first == PacketSeal.version && second < 0x80
        guard let seal else {
            return looksSealed && packet.count >= PacketSeal.overheadBytes
                ? .dropped(.otherKey, refusal: .sealed) : .content(packet)
        }
        if first == PacketSeal.version {
            if let content = seal.open(packet) { return .content(content[...]) }
            if packet.count < PacketSeal.overheadBytes && second < 0x80 { return .dropped(.malformed, refusal: nil) }
            return looksSealed ? .dropped(.otherKey, refusal: .otherKey) : .dropped(.clearText, refusal: .clearText)
        }
        // Encryption versions 0 and 1 of memberlist (AES-GCM) share their byte with clear pings, which go on with a
        // small map and a short key. A random nonce looks like that once in 128 times, and then only the count is
        // another.
        if first <= 1 && !isMap(packet.dropFirst()) { return .dropped(.unsupported, refusal: nil) }
        let isClear =
            PacketCodec.isMembershipMessage(packet) || PacketCodec.Kind(rawValue: first) != nil
            || first == PacketCodec.compoundType
        return isClear ? .dropped(.clearText, refusal: .clearText) : .dropped(.unsupported, refusal: nil)
    }

    private func isMap(_ body: ArraySlice<UInt8>) -> Bool {
        guard let map = body.first, let key = body.dropFirst().first else { return false }
        return map >> 4 == 0x8 && key >> 5 == 0b101
    }
}
