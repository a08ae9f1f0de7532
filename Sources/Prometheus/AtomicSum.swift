internal import Synchronization

/// A sum that any thread adds to: integers with one atomic addition, fractions with a loop of compare and exchange.
struct AtomicSum: ~Copyable {
    private let whole = Atomic<Int64>(0)
    private let rest = Atomic<UInt64>(0)
    /// What one of the integers is worth: 1, or 1e9 where they are nanoseconds and the sum is in seconds.
    private let divisor: Double

    init(divisor: Double = 1) { self.divisor = divisor }

    /// Wraps beyond 63 bits: nine billion billions, or 292 years of nanoseconds.
    func add(_ amount: Int64) { whole.wrappingAdd(amount, ordering: .relaxed) }

    func add(_ amount: Double) { rest.addDouble(amount) }

    var value: Double {
        Double(whole.load(ordering: .relaxed)) / divisor + Double(bitPattern: rest.load(ordering: .relaxed))
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        rest.store(0, ordering: .relaxed)
    }
}

extension Atomic<UInt64> {
    /// Takes the bits for a `Double` and adds to it.
    func addDouble(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isDone, seen) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return }
            old = seen
        }
    }
}
