internal import Replication
internal import Transport

/// Todos that follow from their numbers: keys of 32 hexadecimal digits in no order, texts of 20 to 99 bytes, each created
/// 37 ms after the one before, one stamp for all of a row.
enum SampleRows {
    /// The node that wrote all of them.
    static let origin = NodeID(0x5a17_0000_0000_0001)
    private static let firstMilliseconds: Int64 = 1_750_000_000_000
    private static let filler =
        "buy milk, call the plumber, write to grandmother, water the plants, pay the rent, then rest."

    static func key(_ number: Int) -> String {
        var generator = SeededGenerator(seed: UInt64(number))
        let words = (generator.next(), generator.next())
        return String(unsafeUninitializedCapacity: 32) { bytes in
            for index in 0..<32 {
                let word = index < 16 ? words.0 : words.1
                let digit = UInt8(truncatingIfNeeded: word >> (60 - UInt64(index & 15) * 4)) & 15
                bytes[index] = digit < 10 ? 48 + digit : 87 + digit
            }
            return 32
        }
    }

    static func text(_ number: Int, version: Int = 0) -> String {
        var generator = SeededGenerator(seed: UInt64(number) &+ UInt64(version) << 40)
        // Bytes, not characters: those cost more than the rest of a row.
        let words = Substring(filler.utf8.prefix(11 + Int(generator.next() % 80)))
        return "\(number % 10_000).\(version % 1_000): " + words
    }

    static func row(_ number: Int) -> Row {
        let milliseconds = firstMilliseconds + Int64(number) * 37
        return .created(
            key: ByteString(key(number)), text: ByteString(text(number)), atMilliseconds: milliseconds,
            stamp: Stamp(time: HybridTime(milliseconds: milliseconds), origin: origin))
    }

    /// The same todo with a text that was written later; the greater `version` is the later one.
    static func edited(_ number: Int, version: Int) -> Row {
        var row = row(number)
        let time = HybridTime(milliseconds: row.presence.stamp.time.milliseconds + Int64(version) + 1)
        row.text = Register(ByteString(text(number, version: version)), Stamp(time: time, origin: origin))
        return row
    }

    /// The numbers below `count` in the order of their keys.
    static func inKeyOrder(_ count: Int) -> [Int] {
        // The first word of the key decides; should two be alike, their order does not matter here.
        (0..<count).map { number in
            var generator = SeededGenerator(seed: UInt64(number))
            return (generator.next(), number)
        }.sorted { $0 < $1 }.map(\.1)
    }

    /// The numbers below `count` in an order that says nothing.
    static func shuffled(_ count: Int) -> [Int] {
        var generator = SeededGenerator(seed: 7)
        return (0..<count).shuffled(using: &generator)
    }
}
