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
                text = Self.text(second: second)
            }
            return text
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). The program never sets a locale, so that the names are English.
    static func text(second: Int) -> String {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        return String(unsafeUninitializedCapacity: 64) { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            }
        }
    }
}
