internal import CRawLimits
internal import Runtime

/// How much more memory this process has in use than when it was asked first.
struct ResidentMemory {
    struct Growth: Sendable {
        /// `nil` where the system does not let the mark be set back.
        var peak: Double?
        var end: Double
    }

    private let start: Int
    private let hasMark: Bool

    /// Sets the system's mark of the greatest use back.
    init() {
        rl_trim_heap()
        hasMark = ProcessFigures.own.resetPeak()
        start = ProcessFigures.own.residentBytes
    }

    var growth: Growth {
        let peak = hasMark ? Double(ProcessFigures.own.peakResidentBytes - start) : nil
        rl_trim_heap()
        return Growth(peak: peak, end: Double(ProcessFigures.own.residentBytes - start))
    }
}
