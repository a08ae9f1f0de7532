internal import Runtime

/// The writer thread: takes all that waits, writes it in one transaction (group commit), answers, and begins again.
final class Writer: Sendable {
    let queue: WriteQueue
    private let ended = Latch()

    /// Starts the thread. `lock` is let go after the core's connection is closed.
    init(_ core: Handover<WriterCore>, queue: WriteQueue, lock: any DatabaseLock) throws(SystemThread.Refused) {
        self.queue = queue
        let ended = ended
        try SystemThread.start("store-writer") {
            Self.run(core, queue)
            lock.release()
            ended.open()
        }.detach()
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
