/// A point in an engine's time: nanoseconds since the engine started, on a clock that never goes back.
///
/// Starts at zero, so that two runs from one seed print the same trace. It has no relation to wall time.
public struct EngineInstant: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Nanoseconds since the start.
    public let nanoseconds: UInt64

    /// The start.
    public static let zero = EngineInstant(nanoseconds: 0)

    /// That long after the start.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Earlier.
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Stops at zero and at the largest instant instead of trapping.
    public static func + (instant: Self, duration: Duration) -> Self {
        let delta = duration.wholeNanoseconds
        if delta >= 0 {
            let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(UInt64(delta))
            return Self(nanoseconds: overflow ? .max : sum)
        }
        let magnitude = delta.magnitude
        return Self(nanoseconds: instant.nanoseconds > magnitude ? instant.nanoseconds - magnitude : 0)
    }

    /// The time from `earlier` to `later`; negative when they stand the other way round.
    public static func - (later: Self, earlier: Self) -> Duration {
        if later >= earlier {
            return .nanoseconds(Int64(clamping: later.nanoseconds - earlier.nanoseconds))
        }
        return .zero - .nanoseconds(Int64(clamping: earlier.nanoseconds - later.nanoseconds))
    }

    /// Whole milliseconds since the start.
    public var wholeMilliseconds: Int64 { Int64(nanoseconds / 1_000_000) }

    /// Whole milliseconds since the start, for traces.
    public var description: String { "\(wholeMilliseconds)ms" }
}

extension Duration {
    /// This duration in nanoseconds, held at the ends of `Int64` (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// This duration in seconds, for arithmetic on ratios and for logs.
    public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
