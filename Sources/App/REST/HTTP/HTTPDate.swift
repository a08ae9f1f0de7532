internal import Foundation

/// The moment as HTTP writes it, made once a second.
///
/// `@unchecked Sendable`: all mutable state is touched under `lock` only.
final class HTTPDate: @unchecked Sendable {
    private let lock = NSLock()
    private var second: Int = .min
    private var text = ""

    var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return lock.withLock {
            if time.tv_sec != second {
                second = time.tv_sec
                text = UTCTime(milliseconds: Int64(second) * 1_000).httpDate
            }
            return text
        }
    }
}
