package import Replication
package import Transport

/// Rows that clash: few keys, few times, few origins, few values, so that every tie happens.
package struct RandomRows {
    package var generator: SeededGenerator

    package init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    package mutating func int(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    package mutating func stamp(atLeast floor: Stamp? = nil) -> Stamp {
        let stamp = Stamp(
            time: HybridTime(milliseconds: Int64(int(4)), counter: UInt16(int(2))), origin: NodeID(UInt64(int(3))))
        return max(stamp, floor ?? stamp)
    }

    package mutating func row(key: ByteString = "k") -> Row {
        let presence = stamp()
        let text = Register<ByteString>(["a", "é", "e\u{301}", ""][int(4)], stamp(atLeast: presence))
        let completed = Register(int(2) == 0, stamp(atLeast: presence))
        if int(2) == 0 {
            let created = Register(Presence.created(atMilliseconds: Int64(int(2))), presence)
            return Row(key: key, presence: created, text: text, completed: completed)
        }
        return Row(
            key: key, presence: Register(.deleted, presence), text: int(2) == 0 ? nil : text,
            completed: int(2) == 0 ? nil : completed)
    }
}
