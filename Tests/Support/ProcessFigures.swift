package import Foundation

/// What this process holds and has used. Tests that read it run in a process of their own (`processExitsWith`).
package struct ProcessFigures: CustomStringConvertible {
    package var descriptors: Int
    package var threads: Int
    package var residentBytes: Int
    /// Processor time of all threads.
    package var processorTime: Duration
    /// How often a thread went to sleep and was woken.
    package var wakeUps: Int

    package static var now: ProcessFigures {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        func duration(_ time: timeval) -> Duration { .seconds(time.tv_sec) + .microseconds(Int64(time.tv_usec)) }
        return ProcessFigures(
            descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task"),
            residentBytes: residentBytes(of: getpid()),
            processorTime: duration(usage.ru_utime) + duration(usage.ru_stime), wakeUps: Int(usage.ru_nvcsw))
    }

    /// Resident memory of any process; 0 when it is not there.
    package static func residentBytes(of process: pid_t) -> Int {
        let pages =
            (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return pages.count > 1 ? (Int(pages[1]) ?? 0) * Int(getpagesize()) : 0
    }

    private static func entries(_ path: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: path).count) ?? 0
    }

    package var description: String {
        "\(descriptors) descriptors, \(threads) threads, \(residentBytes / 1024) KiB resident, \(processorTime), "
            + "\(wakeUps) wake-ups"
    }
}
