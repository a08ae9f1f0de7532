internal import Runtime
internal import Store
internal import Transport

/// What the kernel tells of this process, and the file system of its database. 0 where it does not.
struct SystemFigures: Sendable {
    var processorSeconds = 0.0
    var residentBytes: Int64 = 0
    var virtualBytes: Int64 = 0
    var openDescriptors = 0
    var maxDescriptors: Int64 = 0
    var startTime = 0.0
    var threads: Int64 = 0
    var databaseBytes: Int64 = 0
    var logBytes: Int64 = 0

    /// Reads files: not for the cooperative pool.
    static func read(_ store: Store) -> Self {
        var figures = SystemFigures()
        (figures.databaseBytes, figures.logBytes) = store.fileSizes()
        figures.readProcess()
        return figures
    }

    mutating func readProcess() {
        let process = ProcessFigures.own
        processorSeconds = ProcessorUse.now.time.inSeconds
        residentBytes = Int64(process.residentBytes)
        virtualBytes = Int64(process.virtualBytes)
        openDescriptors = process.descriptorCount
        maxDescriptors = Int64(clamping: OpenFiles.limit)
        startTime = process.startTime
        threads = Int64(process.threadCount)
    }
}
