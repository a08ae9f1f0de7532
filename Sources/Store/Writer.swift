internal import class Foundation.Thread

/// The writer thread: takes all that waits, writes it in one transaction (group commit), answers, and begins again.
final class Writer: Sendable {
    let queue: WriteQueue
    private let ended = Latch()

    /// Starts the thread. `lock` is let go after the core's connection is closed.
    init(_ core: Handover<WriterCore>, queue: WriteQueue, lock: FileLock) {
        self.queue = queue
        let ended = ended
        let thread = Thread {
            Self.run(core, queue)
            lock.release()
            ended.open()
        }
        thread.name = "store-writer"
        thread.start()
    }

    /// Lets no more requests in and returns when all that waited are answered and the database is closed.
    func close() async {
        queue.close()
        await ended.wait()
    }

    /// The core, and with it the connection, ends with this function.
    @inline(never)
    private static func run(_ core: Handover<WriterCore>, _ queue: WriteQueue) { core.take().run(queue) }
}

/// Carries a value that is bound to one thread to that thread.
///
/// `@unchecked Sendable`: given away once before the thread starts, taken once by the thread.
final class Handover<Value>: @unchecked Sendable {
    private var value: Value?

    init(_ value: consuming Value) { self.value = value }

    func take() -> Value {
        guard let value else { preconditionFailure("taken twice") }
        self.value = nil
        return value
    }
}
