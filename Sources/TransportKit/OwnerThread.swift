internal import Glibc
public import Transport

/// A thread of its own for one loop: what blocks, or owns sockets, must not run on the cooperative pool.
public struct OwnerThread: Sendable {
    private let thread: pthread_t

    /// Starts `body` on a new thread, which ends with it. Call `join` or `detach` once. Throws `failed` when the system is
    /// out of threads.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(TransportError) -> OwnerThread {
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Body(run: body))
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemCall.failure("pthread_create", code)
        }
        return OwnerThread(thread: thread)
    }

    /// Runs `body` on a new thread and gives its result when that thread is gone. Throws as `start` does.
    public static func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async throws(TransportError) -> Value {
        let result = await withCheckedContinuation {
            (done: CheckedContinuation<Result<(Value, OwnerThread), TransportError>, Never>) in
            do throws(TransportError) {
                _ = try start { done.resume(returning: .success((body(), OwnerThread(thread: pthread_self())))) }
            } catch {
                done.resume(returning: .failure(error))
            }
        }
        let (value, thread) = try result.get()
        thread.join()
        return value
    }

    /// Waits until the thread is gone. Blocks: only for a thread that has nothing left to do but return.
    public func join() { pthread_join(thread, nil) }

    /// Lets the thread go by itself.
    public func detach() { pthread_detach(thread) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
