internal import Runtime
public import Transport

/// A thread of its own for one loop: what blocks, or owns sockets, must not run on the cooperative pool.
public struct OwnerThread: Sendable {
    private let thread: SystemThread

    /// Starts `body` on a new thread, which ends with it. Call `join` or `detach` once. Throws `failed` when the system is
    /// out of threads.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(TransportError) -> OwnerThread {
        do throws(SystemThread.Refused) {
            return OwnerThread(thread: try SystemThread.start("transport", body))
        } catch {
            throw .failed(reason: error.description)
        }
    }

    /// Runs `body` on a new thread and gives its result when that thread is gone. Throws as `start` does.
    public static func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async throws(TransportError) -> Value {
        do throws(SystemThread.Refused) {
            return try await SystemThread.run("transport", body)
        } catch {
            throw .failed(reason: error.description)
        }
    }

    /// Waits until the thread is gone. Blocks: only for a thread that has nothing left to do but return.
    public func join() { thread.join() }

    /// Lets the thread go by itself.
    public func detach() { thread.detach() }
}
