internal import DequeModule
internal import class Foundation.NSCondition
internal import Runtime
internal import Transport

/// The reader threads. Each has a connection of its own and takes the next job of a common line; a walk or a page never
/// occupies all of them, so that point reads stay quick.
///
/// `@unchecked Sendable`: all mutable state is touched under `condition` only.
final class ReaderPool: @unchecked Sendable {
    /// How long a job is.
    enum Lane {
        /// One row.
        case short
        /// Many rows.
        case long
    }

    /// Short jobs that share one transaction, at most.
    private static let maxJobsTogether = 32

    typealias Job = (Reader) -> Void

    private let condition = NSCondition()
    private let ended = Latch()
    private let maxJobs: Int
    private let maxLongJobsRunning: Int
    private var shortJobs = Deque<Job>()
    private var longJobs = Deque<Job>()
    private var longJobsRunning = 0
    private var waitingThreads = 0
    private var runningThreads: Int
    private var isClosed = false

    /// Starts one thread for each reader. When it throws, those that were started end.
    init(_ readers: [Handover<Reader>], maxJobs: Int) throws(SystemThread.Refused) {
        self.maxJobs = maxJobs
        runningThreads = readers.count
        maxLongJobsRunning = max(1, readers.count - 1)
        do throws(SystemThread.Refused) {
            for (index, reader) in readers.enumerated() {
                try SystemThread.start("store-reader-\(index)") { [self] in
                    run(reader)
                    threadEnded()
                }.detach()
            }
        } catch {
            beginClose()
            throw error
        }
    }

    /// Runs `body` on a reader thread and waits for it.
    func read<Value: Sendable>(
        _ lane: Lane, _ body: @escaping @Sendable (Reader) throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            let refusal = submit(lane) { reader in
                continuation.resume(returning: Result { () throws(StoreError) in try body(reader) })
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }

    /// Lets no more jobs in and returns when those that waited are done and all connections are closed.
    func close() async {
        beginClose()
        await ended.wait()
    }

    func beginClose() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        condition.unlock()
    }

    private func submit(_ lane: Lane, _ job: @escaping Job) -> StoreError? {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { return .closed }
        guard shortJobs.count + longJobs.count < maxJobs else { return .overloaded }
        switch lane {
        case .short: shortJobs.append(job)
        case .long: longJobs.append(job)
        }
        if waitingThreads > 0 { condition.signal() }
        return nil
    }

    /// The reader, and with it the connection, ends with this function.
    @inline(never)
    private func run(_ handover: Handover<Reader>) {
        let reader = handover.take()
        while let (jobs, lane) = next() {
            reader.together(jobs.count) { for job in jobs { job(reader) } }
            if lane == .long { longJobEnded() }
        }
    }

    /// Short jobs come together when many wait: a transaction for each costs more than the reads. It begins after they were
    /// taken, so that they see every write that was acknowledged before they were asked.
    private func next() -> ([Job], Lane)? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if !shortJobs.isEmpty {
                // The other half is for the other thread.
                let count = min(Self.maxJobsTogether, (shortJobs.count + 1) / 2)
                return ((0..<count).compactMap { _ in shortJobs.popFirst() }, .short)
            }
            if longJobsRunning < maxLongJobsRunning, let job = longJobs.popFirst() {
                longJobsRunning += 1
                return ([job], .long)
            }
            if isClosed && longJobs.isEmpty { return nil }
            waitingThreads += 1
            condition.wait()
            waitingThreads -= 1
        }
    }

    private func longJobEnded() {
        condition.lock()
        longJobsRunning -= 1
        condition.broadcast()
        condition.unlock()
    }

    private func threadEnded() {
        condition.lock()
        runningThreads -= 1
        let isLast = runningThreads == 0
        condition.unlock()
        if isLast { ended.open() }
    }
}
