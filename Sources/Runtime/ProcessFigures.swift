internal import Foundation

/// What the kernel counts for one process. Each figure is read when it is asked for, which blocks, and is 0 where the kernel
/// does not tell, as of a process that is gone.
package struct ProcessFigures: Sendable {
    /// Of the process.
    package let pid: Int32

    /// Nothing is read before a figure is asked for.
    package init(pid: Int32) { self.pid = pid }

    /// Those of this process.
    package static var own: Self { Self(pid: getpid()) }

    /// Memory that is in the machine's.
    package var residentBytes: Int { statusBytes("VmRSS:") }
    /// The most that `residentBytes` was since the start, or since `resetPeak`.
    package var peakResidentBytes: Int { statusBytes("VmHWM:") }
    /// The address space.
    package var virtualBytes: Int { statusBytes("VmSize:") }
    /// Threads that run or wait.
    package var threadCount: Int { entries("task").count }

    /// Open descriptors, without the one that lists them.
    package var descriptorCount: Int {
        let count = entries("fd").count
        return pid == getpid() ? max(0, count - 1) : count
    }

    /// When it was started, in seconds since 1970.
    package var startTime: Double {
        let text = KernelFile.text(of: "/proc/\(pid)/stat")
        // The name, which is second, may hold spaces and parentheses. The start is the 22nd, in clock ticks.
        guard let end = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return 0 }
        return Self.bootTime + ticks / Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    }

    private static let bootTime = KernelFile.value(of: "btime ", in: "/proc/stat").flatMap { Double($0) } ?? 0

    /// User and system time of all threads that run now, counted in nanoseconds: the sums in `stat` have steps of 10 ms.
    package var processorSeconds: Double {
        let nanoseconds = entries("task").map { thread in
            // The first number of schedstat: time on a processor.
            let fields = KernelFile.text(of: "/proc/\(pid)/task/\(thread)/schedstat").split(separator: " ")
            return fields.first.flatMap { Double($0) } ?? 0
        }
        return nanoseconds.reduce(0, +) / 1e9
    }

    /// Lets the peak begin anew with what is used now, proc(5). `false` where the kernel does not let one.
    @discardableResult package func resetPeak() -> Bool {
        let file = open("/proc/\(pid)/clear_refs", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return write(file, "5", 1) == 1
    }

    private func entries(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/\(folder)")) ?? []
    }

    private func statusBytes(_ name: String) -> Int {
        let words = KernelFile.value(of: name, in: "/proc/\(pid)/status")?.split(separator: " ") ?? []
        return (words.first.flatMap { Int($0) } ?? 0) * 1_024
    }
}

/// What this process, all its threads, has used of the processors since it was started.
package struct ProcessorUse: Sendable {
    /// User and system.
    package let time: Duration
    /// How often a thread went to sleep and was woken.
    package let wakeUps: Int

    /// Up to now.
    package static var now: Self {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let times = [usage.ru_utime, usage.ru_stime].map { Duration.seconds($0.tv_sec) + .microseconds($0.tv_usec) }
        return Self(time: times[0] + times[1], wakeUps: Int(usage.ru_nvcsw))
    }
}
