internal import Transport

/// Ping sequence numbers: a keyed hash of a counter. An observer of earlier ones cannot predict the next; a plain generator
/// could be run backwards from a few of its numbers.
struct SequenceNumbers: Sendable {
    private let sipHash: SipHash
    private var counter: UInt64 = 0

    init(key: UInt64) { sipHash = SipHash(key0: key, key1: 0) }

    mutating func next() -> UInt32 { UInt32(truncatingIfNeeded: nextWord()) }

    /// A whole word: a seed that does not give the key away.
    mutating func nextWord() -> UInt64 {
        counter += 1
        return UInt64(truncatingIfNeeded: withUnsafeBytes(of: counter.littleEndian) { sipHash.hash($0) })
    }
}
