/// A digest of a run: equal for equal runs (FNV-1a over 64-bit words).
struct Trace: Sendable {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func note(_ words: UInt64...) {
        for word in words { value = (value ^ word) &* 0x0000_0100_0000_01b3 }
    }

    mutating func note(_ bytes: [UInt8]) {
        note(UInt64(bytes.count))
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }
}
