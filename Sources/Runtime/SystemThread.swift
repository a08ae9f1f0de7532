internal import class Foundation.Thread
internal import Glibc

/// A thread of its own: for what blocks, or what must stay on one thread.
package struct SystemThread: Sendable {
    /// The system starts no more threads. What was to run on one did not.
    package struct Refused: Error, Sendable, CustomStringConvertible {
        /// What pthread_create(3) returned.
        package let code: Int32

        package var description: String { "no thread can be started: \(String(cString: strerror(code)))" }
    }

    private let thread: pthread_t

    /// Starts `body` on a new thread, which ends with it. Call `join` or `detach` once.
    ///
    /// `name` is what the system's tools show, at most 15 bytes of it; `stackBytes` defaults to the system's 8 MiB.
    package static func start(
        _ name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(Refused) -> SystemThread {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
        var thread = pthread_t()
        let start = Unmanaged.passRetained(
            Body {
                Thread.current.name = name
                body()
            })
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw Refused(code: code)
        }
        return SystemThread(thread: thread)
    }

    /// Runs `body` on a new thread and gives its result when that thread is gone.
    package static func run<Value: Sendable>(
        _ name: String, _ body: @escaping @Sendable () -> Value
    ) async throws(Refused) -> Value {
        let result = await withCheckedContinuation {
            (done: CheckedContinuation<Result<(Value, SystemThread), Refused>, Never>) in
            do throws(Refused) {
                _ = try start(name) { done.resume(returning: .success((body(), SystemThread(thread: pthread_self())))) }
            } catch {
                done.resume(returning: .failure(error))
            }
        }
        let (value, thread) = try result.get()
        thread.join()
        return value
    }

    /// Waits until the thread is gone. Blocks: only for a thread that has nothing left to do but return.
    package func join() { pthread_join(thread, nil) }

    /// Lets the thread go by itself.
    package func detach() { pthread_detach(thread) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
