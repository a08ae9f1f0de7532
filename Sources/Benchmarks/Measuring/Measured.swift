internal import CRawLimits
internal import Glibc

/// How often something was done, and what time that took.
struct Measured: Sendable {
    var count = 0
    var seconds = 0.0
    /// Of all threads of this process.
    var processorSeconds = 0.0
    /// Of single operations, where they were noted, in no order.
    var nanoseconds: [UInt64] = []

    /// A second.
    var rate: Double { seconds > 0 ? Double(count) / seconds : 0 }
    /// Processor time of one.
    var processorMicroseconds: Double? { count > 0 ? processorSeconds / Double(count) * 1e6 : nil }

    /// Adds the time of `body`.
    mutating func time<Value>(_ body: () throws -> Value) rethrows -> Value {
        let begin = Moment()
        defer { add(begin) }
        return try body()
    }

    /// The same for what waits.
    mutating func time<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        let begin = Moment()
        defer { add(begin) }
        return try await body()
    }

    /// So many tasks at once, each of which does `body` again and again until the time is over. `body` is told the number
    /// of its task and of its turn; each turn is noted.
    static func tasks(
        _ count: Int, seconds: Double, _ body: @escaping @Sendable (_ task: Int, _ turn: Int) async throws -> Void
    ) async throws -> Self {
        var measured = Self()
        let end = rl_now() + UInt64(seconds * 1e9)
        measured.nanoseconds = try await measured.time {
            try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for task in 0..<count {
                    group.addTask {
                        var samples: [UInt64] = []
                        var begin = rl_now()
                        while begin < end {
                            try await body(task, samples.count)
                            let now = rl_now()
                            samples.append(now - begin)
                            begin = now
                        }
                        return samples
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }
        measured.count = measured.nanoseconds.count
        return measured
    }

    static func += (left: inout Self, right: Self) {
        left.count += right.count
        left.seconds += right.seconds
        left.processorSeconds += right.processorSeconds
        left.nanoseconds += right.nanoseconds
    }

    /// Of single operations.
    var milliseconds: Percentiles { Percentiles(nanoseconds.lazy.map { Double($0) / 1e6 }) }
    var microseconds: Percentiles { Percentiles(nanoseconds.lazy.map { Double($0) / 1e3 }) }

    private mutating func add(_ begin: Moment) {
        let end = Moment()
        seconds += Double(end.wall - begin.wall) / 1e9
        processorSeconds += Double(end.processor - begin.processor) / 1e9
    }
}

private struct Moment {
    let wall = rl_now()
    let processor: UInt64

    init() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        processor = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Ours and its limit, measured in turns.
struct Versus: Sendable {
    var ours = Measured()
    var limit = Measured()

    var ratio: Double? { limit.rate > 0 && ours.rate > 0 ? ours.rate / limit.rate : nil }
    var seconds: Double { ours.seconds + limit.seconds }
}
