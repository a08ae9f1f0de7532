/// Numbers of pings, which nobody can foretell who has seen others: the lower half of SipHash-2-4 (Aumasson and Bernstein
/// 2012) of a counter, under a secret key. A plain generator could be run backwards from a few of its numbers.
struct SequenceNumbers: Sendable {
    private let key: UInt64
    private var counter: UInt64 = 0

    init(key: UInt64) { self.key = key }

    mutating func next() -> UInt32 { UInt32(truncatingIfNeeded: nextWord()) }

    /// A whole word: a seed that does not give the key away.
    mutating func nextWord() -> UInt64 {
        counter += 1
        var v0 = key ^ 0x736f_6d65_7073_6575
        var v1: UInt64 = 0x646f_7261_6e64_6f6d
        var v2 = key ^ 0x6c79_6765_6e65_7261
        var v3: UInt64 = 0x7465_6462_7974_6573
        func round() {
            v0 &+= v1
            v1 = v1 << 13 | v1 >> 51
            v1 ^= v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = v3 << 16 | v3 >> 48
            v3 ^= v2
            v0 &+= v3
            v3 = v3 << 21 | v3 >> 43
            v3 ^= v0
            v2 &+= v1
            v1 = v1 << 17 | v1 >> 47
            v1 ^= v2
            v2 = v2 << 32 | v2 >> 32
        }
        // The counter, and the length that ends each message.
        for word in [counter, 8 << 56] {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }
        v2 ^= 0xff
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }
}
