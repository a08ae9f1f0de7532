/// A budget that is full again after each period: an engine's bound on what others can make it do.
///
/// A window begins with the first use after the last window ended, so that at most twice the limit is taken in any one
/// period.
public struct RateWindow: Sendable {
    private let period: Duration
    private var end = EngineInstant.zero
    private var left = 0

    /// Full, with windows of that length.
    public init(every period: Duration) { self.period = period }

    /// Takes `count` if as much is left of this window's `limit`, which is read once, when the window begins. `now` never
    /// decreases between calls.
    public mutating func take(_ count: Int = 1, of limit: Int, at now: EngineInstant) -> Bool {
        if now >= end {
            end = now + period
            left = limit
        }
        guard left >= count else { return false }
        left -= count
        return true
    }
}
