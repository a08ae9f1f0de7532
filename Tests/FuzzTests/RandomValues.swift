import Membership
import Replication
import Transport

/// Values for the encoders, small and at their limits. The same seed gives the same values.
struct RandomValues {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func int(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }

    mutating func bool() -> Bool { int(2) == 0 }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[int(values.count)] }

    mutating func maybe<Value>(_ value: Value) -> Value? { bool() ? value : nil }

    /// Zero, small, or any.
    mutating func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value {
        switch int(4) {
        case 0: 0
        case 1: Value(truncatingIfNeeded: int(256))
        case 2: pick([.min, .max, 1, Value.max - 1])
        default: Value(truncatingIfNeeded: generator.next())
        }
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<int(count + 1)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    mutating func text(upTo count: Int) -> String {
        let pieces = ["a", "7", " ", "é", "e\u{301}", "\u{0}", "\n", "\"", "\\", "😀", "語", "\u{feff}"]
        return (0..<int(count + 1)).map { _ in pick(pieces) }.joined()
    }

    mutating func name() -> String { pick(["", "a", "node-1", "n\u{f6}de", String(repeating: "x", count: 128)]) }

    mutating func address() -> PeerAddress {
        PeerAddress(
            host: bool() ? .v4(number()) : .v6(high: number(), low: number()), port: pick([0, 1, 7946, .max]))
    }

    mutating func stamp(atLeast floor: Stamp? = nil) -> Stamp {
        let latest = HybridTime(milliseconds: Row.latestStampMilliseconds, counter: .max)
        let stamp = Stamp(time: min(HybridTime(rawValue: number()), latest), origin: NodeID(number()))
        return max(stamp, floor ?? stamp)
    }

    /// A valid row; some have a text of some hundred bytes.
    mutating func row() -> Row {
        let presence = stamp()
        let longest = int(8) == 0 ? 300 : 8
        let text = Register(ByteString(text(upTo: longest)), bool() ? presence : stamp(atLeast: presence))
        let completed = Register(bool(), bool() ? presence : stamp(atLeast: presence))
        let key = ByteString(self.text(upTo: 12))
        guard bool() else {
            return Row(
                key: key, presence: Register(.deleted, presence), text: maybe(text), completed: maybe(completed))
        }
        let milliseconds = pick([0, 1_700_000_000_000, Row.createdRange.lowerBound, Row.createdRange.upperBound])
        return Row(
            key: key, presence: Register(.created(atMilliseconds: milliseconds), presence), text: text,
            completed: completed)
    }

    mutating func rows(upTo count: Int) -> [Row] { (0..<int(count + 1)).map { _ in row() } }

    mutating func tags() -> MemberTags {
        MemberTags(
            (0..<int(4)).reduce(into: [:]) { values, _ in
                values[pick(["http", "version", "channels", "node", "k"])] = text(upTo: 30)
            })
    }
}
