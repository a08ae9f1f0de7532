import Foundation
import Glibc
import NIOConcurrencyHelpers
import Testing

@testable import AutoClusterSync

@Suite("The end of a stop that takes too long", .timeLimit(.minutes(1)))
struct ExitDeadlineTests {
    @Test("It comes after the limit, and not before")
    func limit() async throws {
        let exitTime = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        // Dispatch has a handler of its own later; a signal before that would end the process.
        signal(SIGUSR2) { _ in }
        let start = ContinuousClock.now
        let deadline = ExitDeadline([SIGUSR2], after: .milliseconds(200)) {
            exitTime.withLockedValue { $0 = $0 ?? .now }
        }
        // Again and again, since nobody tells from when on it listens.
        while exitTime.withLockedValue({ $0 == nil }), ContinuousClock.now - start < .seconds(20) {
            kill(getpid(), SIGUSR2)
            try await Task.sleep(for: .milliseconds(20))
        }
        withExtendedLifetime(deadline) {}
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
