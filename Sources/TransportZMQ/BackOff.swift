/// A wait before the next attempt, longer after each failure.
struct BackOff {
    /// The first wait, doubled up to the last.
    static let range: ClosedRange<Duration> = .milliseconds(100)...(.seconds(1))

    private(set) var wait: Duration
    private(set) var until: ContinuousClock.Instant

    /// After a first failure, or after one more.
    init(after last: BackOff?) {
        wait = min(last.map { $0.wait * 2 } ?? Self.range.lowerBound, Self.range.upperBound)
        until = .now + wait * Double.random(in: 0.75...1.25)
    }
}
