/// Parts gathered for one packet, and the room that is left.
struct PacketSpace {
    private let capacity: Int
    private var parts: [[UInt8]] = []
    /// Bytes of the parts with their lengths, as a compound counts them.
    private var used = PacketCodec.compoundHeaderBytes

    init(capacity: Int) { self.capacity = capacity }

    var partCount: Int { parts.count }

    /// Longest part that still fits; a part alone needs no compound around it.
    var room: Int {
        if parts.isEmpty { return capacity }
        if parts.count == PacketCodec.maxParts { return 0 }
        return max(0, capacity - used - PacketCodec.lengthBytes)
    }

    /// Adds a part if it fits.
    mutating func add(_ part: [UInt8]) -> Bool {
        guard part.count <= room, parts.count < PacketCodec.maxParts else { return false }
        parts.append(part)
        used += part.count + PacketCodec.lengthBytes
        return true
    }

    func encoded() -> [UInt8] { PacketCodec.encode(parts) }
}
