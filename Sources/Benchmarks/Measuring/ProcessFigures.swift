internal import Foundation

/// What the kernel counts for one process, from `/proc`. All figures are 0 when it is gone.
struct ProcessFigures {
    let pid: Int32

    /// Resident memory in megabytes (10^6 bytes).
    var residentMegabytes: Double { status("VmRSS:") / 1e3 * 1.024 }
    /// The most that it was since the start, or since `resetPeak`.
    var peakMegabytes: Double { status("VmHWM:") / 1e3 * 1.024 }

    /// Takes effect where the kernel lets one write `clear_refs` of the process.
    func resetPeak() {
        guard let file = fopen("/proc/\(pid)/clear_refs", "w") else { return }
        fputs("5", file)
        fclose(file)
    }

    /// User and system time of all threads that run now, counted in nanoseconds: the sums in `stat` have steps of 10 ms.
    var processorSeconds: Double {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let nanoseconds = threads.map { thread in
            // Field 1 of schedstat: time on a processor.
            let fields = Machine.text(of: "/proc/\(pid)/task/\(thread)/schedstat").split(separator: " ")
            return fields.first.flatMap { Double($0) } ?? 0
        }
        return nanoseconds.reduce(0, +) / 1e9
    }

    private func status(_ name: String) -> Double {
        for line in Machine.text(of: "/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix(name) {
            let words = line.split { $0 == " " || $0 == "\t" }
            if words.count > 1 { return Double(words[1]) ?? 0 }
        }
        return 0
    }
}
