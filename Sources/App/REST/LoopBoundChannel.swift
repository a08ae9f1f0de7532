internal import HummingbirdCore
internal import Logging
internal import NIOCore

/// Serves each connection on the event loop that its socket belongs to.
///
/// Without this the library serves on the cooperative pool: every part of a request is handed from the loop to a thread of the
/// pool, and every answer back, which costs two wake-ups of a thread each. Handlers must not block, there as here.
struct LoopBoundChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    let base: Base
    private let executors: LoopExecutors

    /// `group`: the one that the server runs on.
    init(_ base: Base, group: some EventLoopGroup) {
        self.base = base
        executors = LoopExecutors(group)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        base.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(executors[value.channel.eventLoop]) {
            await base.handle(value: value, logger: logger)
        }
    }
}

/// One executor for each event loop of a group.
private struct LoopExecutors: Sendable {
    private let executors: [ObjectIdentifier: LoopExecutor]

    init(_ group: some EventLoopGroup) {
        let pairs = group.makeIterator().map { (ObjectIdentifier($0), LoopExecutor($0)) }
        executors = Dictionary(pairs) { first, _ in first }
    }

    /// `nil`, and so the pool, for a loop of another group.
    subscript(loop: any EventLoop) -> LoopExecutor? { executors[ObjectIdentifier(loop)] }
}

/// Runs the jobs of tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
