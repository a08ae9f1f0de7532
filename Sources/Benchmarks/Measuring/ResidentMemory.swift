internal import CRawLimits
internal import Glibc

/// How much more memory this process has in use than when it was asked first.
struct ResidentMemory {
    struct Growth: Sendable {
        /// `nil` where the system does not let the mark be set back.
        var peak: Double?
        var end: Double
    }

    private let start: Double
    private let hasMark: Bool

    /// Sets the system's mark of the greatest use back.
    init() {
        rl_trim_heap()
        // 5: the peak begins anew with what is used now, proc(5).
        let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        hasMark = file >= 0 && write(file, "5", 1) == 1
        if file >= 0 { close(file) }
        start = Self.bytes("VmRSS:")
    }

    var growth: Growth {
        let peak = hasMark ? Self.bytes("VmHWM:") - start : nil
        rl_trim_heap()
        return Growth(peak: peak, end: Self.bytes("VmRSS:") - start)
    }

    private static func bytes(_ name: String) -> Double {
        for line in Machine.text(of: "/proc/self/status").split(separator: "\n") where line.hasPrefix(name) {
            let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).compactMap { Double($0) }.first
            return (kilobytes ?? 0) * 1_024
        }
        return 0
    }
}
