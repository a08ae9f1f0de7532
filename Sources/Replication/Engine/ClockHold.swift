package import Transport

/// Between what the wall clock of this node is taken to be, as the clocks of the cluster have it.
///
/// The bounds go on with the engines' time, which never jumps. So a wall clock that jumps is held from that moment on.
package struct ClockHold: Hashable, Sendable {
    /// The least and the greatest that the wall shows at the engines' zero, in milliseconds since 1970; `nil`: no bound.
    package var earliest: Int64?
    package var latest: Int64?
    /// More than half of the clocks agree, or both of two.
    package var isConfirmed = false

    /// Nothing is known of other clocks.
    package static let none = ClockHold()

    /// `wallMilliseconds`: what this node's wall clock shows.
    package func reading(_ wallMilliseconds: Int64, at now: EngineInstant) -> WallReading {
        let elapsed = now.wholeMilliseconds
        var milliseconds = wallMilliseconds
        if let earliest { milliseconds = max(milliseconds, earliest + elapsed) }
        if let latest { milliseconds = min(milliseconds, latest + elapsed) }
        return WallReading(
            milliseconds: milliseconds, isConfirmed: isConfirmed, ownMilliseconds: wallMilliseconds)
    }

    /// Whether the two differ by more than the ways of messages vary.
    package func isFar(from other: ClockHold) -> Bool {
        func isFar(_ one: Int64?, _ other: Int64?) -> Bool {
            guard let one, let other else { return one != other }
            return abs(one - other) > 100
        }
        return isConfirmed != other.isConfirmed || isFar(earliest, other.earliest) || isFar(latest, other.latest)
    }
}

/// What is known of this node's wall clock.
package enum ClockState: Hashable, Sendable {
    /// No other clock is known.
    case alone
    case right
    /// The clocks of the cluster agree, and this one differs from them by so many milliseconds: positive where it is ahead.
    case wrong(byMilliseconds: Int64)
    /// Two clocks that differ by so much, or more that do not agree: nobody can say which is right.
    case unknown(differenceMilliseconds: Int64)

    /// Which case it is.
    package var name: String {
        switch self {
        case .alone: "alone"
        case .right: "right"
        case .wrong: "wrong"
        case .unknown: "unknown"
        }
    }

    /// Whether an operator has to hear of it: another case, or by a second more or less.
    package func isNews(after earlier: ClockState) -> Bool {
        switch (self, earlier) {
        case (.alone, .alone), (.right, .right): false
        case (.wrong(let one), .wrong(let other)), (.unknown(let one), .unknown(let other)): abs(one - other) >= 1_000
        default: true
        }
    }
}
