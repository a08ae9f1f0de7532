import Transport

/// Makes input that is nearly right: samples whose bytes are changed, moved, doubled, left out or cut off, and now and
/// then bytes at random. The same seed makes the same input.
package struct Mutator {
    /// Longer input is cut: what a decoder does with a length, it does with a small one.
    package static let maxBytes = 64 << 10

    private var generator: SeededGenerator
    private let samples: [[UInt8]]
    private let tokens: [[UInt8]]

    /// `samples` are valid input, as the encoders write it; `tokens` are pieces that mean something to the decoder and
    /// that chance would not hit upon.
    package init(seed: UInt64, samples: [[UInt8]], tokens: [[UInt8]] = []) {
        precondition(!samples.isEmpty, "a mutator without samples")
        generator = SeededGenerator(seed: seed)
        self.samples = samples
        self.tokens = tokens
    }

    package mutating func next() -> [UInt8] {
        if number(below: 32) == 0 { return randomBytes(number(below: 64)) }
        var bytes = samples[number(below: samples.count)]
        // Few changes pass more of the first checks than many, and none at all shows that the sample is one.
        let changes = number(below: 16) == 0 ? 0 : 1 + min(number(below: 5), number(below: 5))
        for _ in 0..<changes { change(&bytes) }
        if bytes.count > Self.maxBytes { bytes.removeLast(bytes.count - Self.maxBytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let index = place(in: bytes)
        switch number(below: 16) {
        case 0 where index < bytes.count: bytes[index] ^= 1 << UInt8(number(below: 8))
        case 1 where index < bytes.count: bytes[index] = interestingByte()
        case 2, 3: overwriteInteger(&bytes, at: index)
        case 4 where index < bytes.count: bytes[index] &+= UInt8(truncatingIfNeeded: number(below: 9) - 4)
        case 5: bytes.removeLast(bytes.count - index)
        case 6: bytes += randomBytes(1 + number(below: 16))
        case 7: bytes.insert(contentsOf: randomBytes(1 + number(below: 8)), at: index)
        case 8: bytes.removeSubrange(index..<(index + number(below: min(32, bytes.count - index) + 1)))
        case 9: bytes.insert(contentsOf: run(of: bytes), at: index)
        case 10: swapRuns(&bytes)
        case 11: splice(&bytes)
        case 12: bytes.insert(contentsOf: run(of: samples[number(below: samples.count)]), at: index)
        case 13: bytes.insert(contentsOf: hugeHeader(), at: index)
        case 14: repeatRun(&bytes, at: index)
        default: if !tokens.isEmpty { bytes.insert(contentsOf: tokens[number(below: tokens.count)], at: index) }
        }
    }

    /// The head of a message decides more than its body.
    private mutating func place(in bytes: [UInt8]) -> Int {
        number(below: (number(below: 3) == 0 ? bytes.count : min(bytes.count, 16)) + 1)
    }

    /// An integer of one to eight bytes in either order: a limit of some type, or about as much as there are bytes.
    private mutating func overwriteInteger(_ bytes: inout [UInt8], at index: Int) {
        let width = min(1 << number(below: 4), bytes.count - index)
        let rest = UInt64(bytes.count - index)
        let values: [UInt64] = [
            0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, .max >> 1, 1 << 63,
            .max, rest, rest &- UInt64(width), rest &- UInt64(width) &- 1, rest &- UInt64(width) &+ 1,
        ]
        let value = values[number(below: values.count)]
        let isBigEndian = number(below: 4) > 0
        for offset in 0..<width {
            bytes[index + offset] = UInt8(
                truncatingIfNeeded: value >> UInt64(8 * (isBigEndian ? width - 1 - offset : offset)))
        }
    }

    private mutating func swapRuns(_ bytes: inout [UInt8]) {
        let middle = place(in: bytes)
        let end = middle + number(below: min(64, bytes.count - middle) + 1)
        let start = middle - number(below: min(64, middle) + 1)
        bytes.replaceSubrange(start..<end, with: bytes[middle..<end] + bytes[start..<middle])
    }

    /// The beginning of one sample and the end of another.
    private mutating func splice(_ bytes: inout [UInt8]) {
        let other = samples[number(below: samples.count)]
        bytes.removeLast(bytes.count - place(in: bytes))
        bytes += other[number(below: other.count + 1)...]
    }

    /// Long texts, deep nesting, many elements.
    private mutating func repeatRun(_ bytes: inout [UInt8], at index: Int) {
        let run = bytes[index..<(index + number(below: min(8, bytes.count - index) + 1))]
        let count = 1 << number(below: 11)
        var repeated: [UInt8] = []
        repeated.reserveCapacity(count * run.count)
        for _ in 0..<count { repeated += run }
        bytes.insert(contentsOf: repeated, at: index)
    }

    /// The head of a MessagePack value that announces more than there is.
    private mutating func hugeHeader() -> [UInt8] {
        let heads: [UInt8] = [0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9]
        let count = [0xff, 0x7f, 0x80, 0][number(below: 4)] as UInt8
        return [heads[number(below: heads.count)], count] + [UInt8](repeating: 0xff, count: number(below: 4))
    }

    private mutating func run(of bytes: [UInt8]) -> [UInt8] {
        let start = number(below: bytes.count + 1)
        return Array(bytes[start..<(start + number(below: min(64, bytes.count - start) + 1))])
    }

    private mutating func interestingByte() -> UInt8 {
        [0, 1, 0x7f, 0x80, 0xc0, 0xff, UInt8(truncatingIfNeeded: number(below: 256))][number(below: 7)]
    }

    private mutating func randomBytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    private mutating func number(below limit: Int) -> Int { limit < 2 ? 0 : Int(generator.next() % UInt64(limit)) }
}
