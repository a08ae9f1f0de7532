internal import Glibc

/// Time of day, for stamps and for people. It may jump; nothing depends on its going forward.
package enum WallClock {
    /// Milliseconds since 1970, UTC.
    @Sendable package static func milliseconds() -> Int64 {
        var time = timespec()
        guard clock_gettime(CLOCK_REALTIME, &time) == 0 else { return 0 }
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
