/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012): a fast keyed hash. Nobody who does not know the key
/// can foretell its values or choose inputs that collide. Not for secrets.
package struct SipHash: Hashable, Sendable {
    private let key0: UInt64
    private let key1: UInt64

    /// The two halves of the key, as the paper numbers them.
    package init(key0: UInt64, key1: UInt64) {
        self.key0 = key0
        self.key1 = key1
    }

    /// The hash, its first eight bytes in the lower half.
    package func hash(_ bytes: UnsafeRawBufferPointer) -> UInt128 {
        var state = State(key0: key0, key1: key1)
        let words = bytes.count / 8
        for index in 0..<words {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            state.absorb(word)
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        for index in (words * 8)..<bytes.count { last |= UInt64(bytes[index]) << (8 * UInt64(index & 7)) }
        state.absorb(last)
        let low = state.finish(0xee)
        let high = state.finishAgain(0xdd)
        return UInt128(high) << 64 | UInt128(low)
    }

    /// The same of an array.
    package func hash(_ bytes: [UInt8]) -> UInt128 { bytes.withUnsafeBytes { hash($0) } }

    private struct State {
        var v0, v1, v2, v3: UInt64

        init(key0: UInt64, key1: UInt64) {
            v0 = key0 ^ 0x736f_6d65_7073_6575
            v1 = key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = key0 ^ 0x6c79_6765_6e65_7261
            v3 = key1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish(_ mark: UInt64) -> UInt64 {
            v2 ^= mark
            return fourRounds()
        }

        mutating func finishAgain(_ mark: UInt64) -> UInt64 {
            v1 ^= mark
            return fourRounds()
        }

        private mutating func fourRounds() -> UInt64 {
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        @inline(__always)
        private mutating func round() {
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
    }
}
