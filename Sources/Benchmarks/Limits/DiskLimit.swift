internal import CRawLimits

/// How often the file system of a directory makes a block durable: one pwrite and one fdatasync after the other.
struct DiskLimit: Sendable {
    enum Place: Sendable {
        /// Over the block before, as in a log that was cut off and begun anew.
        case same
        /// Behind it, as in a log that grows: its new length has to be made durable too.
        case behind
    }

    let blockBytes: Int
    let place: Place

    /// Blocks. Does not return before `seconds` are over.
    func run(in directory: String, seconds: Double) throws -> Measured {
        let capacity = 1 << 20
        var count = 0
        var measured = Measured()
        var code: Int64 = 0
        let samples = [UInt64](unsafeUninitializedCapacity: capacity) { samples, initialized in
            measured.time {
                code = rl_fsync_loop(
                    directory + "/fsync", blockBytes, place == .behind ? 1 : 0, UInt64(seconds * 1e9),
                    samples.baseAddress, capacity)
            }
            count = max(0, Int(code))
            initialized = count
        }
        measured.count = try BenchmarkError.check("pwrite or fdatasync", code)
        measured.nanoseconds = samples
        return measured
    }
}
