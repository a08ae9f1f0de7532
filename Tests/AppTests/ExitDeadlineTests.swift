import Foundation
import Glibc
import NIOConcurrencyHelpers
import Testing

@testable import App

@Suite("The end of a stop that takes too long", .timeLimit(.minutes(1)))
struct ExitDeadlineTests {
    @Test("It comes after the limit, though all threads of the pool are busy")
    func busyPool() async throws {
        let exitTime = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        // Dispatch has a handler of its own later; a signal before that would end the process.
        signal(SIGUSR2) { _ in }
        let deadline = ExitDeadline([SIGUSR2], after: .milliseconds(200)) {
            exitTime.withLockedValue { $0 = $0 ?? .now }
        }
        defer { withExtendedLifetime(deadline) {} }
        let (start, seen) = try await withThrowingTaskGroup(of: Bool.self) { group in
            let start = ContinuousClock.now
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount {
                group.addTask { @concurrent in
                    // Occupies its thread until the exit came.
                    while exitTime.withLockedValue({ $0 == nil }) {
                        guard ContinuousClock.now - start < .seconds(20) else { return false }
                        kill(getpid(), SIGUSR2)
                        usleep(10_000)
                    }
                    return true
                }
            }
            return (start, try await group.reduce(true) { $0 && $1 })
        }
        #expect(seen)
        let exit = try #require(exitTime.withLockedValue { $0 })
        #expect(exit - start >= .milliseconds(200))
    }

    @Test("Without a signal nothing ends")
    func noSignal() async throws {
        let hasEnded = NIOLockedValueBox(false)
        do {
            let deadline = ExitDeadline([SIGUSR1], after: .zero) { hasEnded.withLockedValue { $0 = true } }
            try await Task.sleep(for: .milliseconds(50))
            withExtendedLifetime(deadline) {}
        }
        #expect(!hasEnded.withLockedValue { $0 })
    }
}
