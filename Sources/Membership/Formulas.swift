internal import Glibc
internal import Transport

/// The arithmetic of SWIM and Lifeguard as memberlist does it, digit for digit.
package enum Formulas {
    /// Shortest time from suspicion to failure in a cluster of `memberCount`:
    /// multiplier x max(1, log10 n) x interval, the logarithm cut to three decimals.
    package static func minimumSuspicion(multiplier: Int, memberCount: Int, interval: Duration) -> Duration {
        let scale = max(1, log10(Double(max(1, memberCount))))
        return interval * multiplier * Int(scale * 1_000) / 1_000
    }

    /// How long a suspicion lasts in all after `confirmations` of the `needed` ones came in: from `maximum` down to
    /// `minimum` on a logarithmic scale, whole milliseconds (Lifeguard §4.2).
    package static func suspicionTimeout(
        confirmations: Int, needed: Int, minimum: Duration, maximum: Duration
    ) -> Duration {
        guard needed > 0 else { return minimum }
        let share = log(Double(confirmations) + 1) / log(Double(needed) + 1)
        let seconds = maximum.inSeconds - share * (maximum - minimum).inSeconds
        return max(minimum, .milliseconds(Int64((seconds * 1_000).rounded(.down))))
    }

    /// Confirmations that bring a suspicion to its minimum; none where there are too few members to give them.
    package static func neededConfirmations(multiplier: Int, memberCount: Int) -> Int {
        let needed = max(0, multiplier - 2)
        return memberCount - 2 < needed ? 0 : needed
    }

    /// Push/pulls cost the more the larger the cluster, and become rarer: x 1 up to 32 members, 2 up to 64, 3 up to 128.
    package static func pushPullInterval(_ interval: Duration, memberCount: Int) -> Duration {
        guard memberCount > 32 else { return interval }
        return interval * (Int((log2(Double(memberCount)) - 5).rounded(.up)) + 1)
    }
}
