import Foundation

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
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return ProcessFigures(
            descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task"),
            residentBytes: pages.count > 1 ? (Int(pages[1]) ?? 0) * Int(getpagesize()) : 0,
            processorTime: duration(usage.ru_utime) + duration(usage.ru_stime), wakeUps: Int(usage.ru_nvcsw))
    }

    private static func entries(_ path: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: path).count) ?? 0
    }

    package var description: String {
        "\(descriptors) descriptors, \(threads) threads, \(residentBytes / 1024) KiB resident, \(processorTime), "
            + "\(wakeUps) wake-ups"
    }
}
