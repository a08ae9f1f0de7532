internal import Transport

/// So many bytes in a second, counted from the first one taken.
struct ByteBudget: Sendable {
    private let bytesPerSecond: Int
    private var windowEnd = EngineInstant.zero
    private var left = 0

    init(bytesPerSecond: Int) { self.bytesPerSecond = bytesPerSecond }

    /// `false`, and nothing is taken, when that many are not left.
    mutating func take(_ bytes: Int, at now: EngineInstant) -> Bool {
        if now >= windowEnd {
            windowEnd = now + .seconds(1)
            left = bytesPerSecond
        }
        guard left >= bytes else { return false }
        left -= bytes
        return true
    }
}
