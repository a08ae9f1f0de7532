internal import Transport

extension SeededGenerator {
    /// An index below `count`, which must be above zero. The bias of at most count / 2^64 is of no matter here.
    mutating func index(below count: Int) -> Int {
        precondition(count > 0, "no index below \(count)")
        return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(count)).high)
    }
}
