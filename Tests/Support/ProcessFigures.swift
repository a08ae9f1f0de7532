internal import Runtime

/// What this process holds and has used at one moment. Tests that read it run in a process of their own
/// (`processExitsWith`).
package struct ProcessFigures: CustomStringConvertible {
    package var descriptors: Int
    package var threads: Int
    package var residentBytes: Int
    /// Processor time of all threads.
    package var processorTime: Duration
    /// How often a thread went to sleep and was woken.
    package var wakeUps: Int

    package static var now: ProcessFigures {
        let (figures, use) = (Runtime.ProcessFigures.own, ProcessorUse.now)
        return ProcessFigures(
            descriptors: figures.descriptorCount, threads: figures.threadCount, residentBytes: figures.residentBytes,
            processorTime: use.time, wakeUps: use.wakeUps)
    }

    /// Resident memory of any process; 0 when it is not there.
    package static func residentBytes(of process: Int32) -> Int {
        Runtime.ProcessFigures(pid: process).residentBytes
    }

    package var description: String {
        "\(descriptors) descriptors, \(threads) threads, \(residentBytes / 1024) KiB resident, \(processorTime), "
            + "\(wakeUps) wake-ups"
    }
}
