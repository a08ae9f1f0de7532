import Testing
import Transport

@testable import App

@Suite("Pushes", .timeLimit(.minutes(1)))
struct PushSenderTests {
    @Test("What was sent counts when it is, and an answer when it comes, if one does")
    func traffic() async throws {
        let network = InMemoryNetwork()
        let (sender, receiver) = (try network.bind(), try network.bind())
        let pushes = PushSender(transport: sender, logger: .silent)
        let running = Task { await pushes.run() }
        defer { running.cancel() }
        /// What was counted, as soon as it is this, or after 10 s.
        func counted(sent: Int, received: Int) async throws -> Bool {
            let deadline = ContinuousClock.now + .seconds(10)
            while await pushes.traffic != (sent, received) {
                guard ContinuousClock.now < deadline else { return false }
                try await Task.sleep(for: .milliseconds(5))
            }
            return true
        }

        pushes.add(Array(repeating: 1, count: 100), to: [receiver.boundAddress])
        let exchange = try #require(await receiver.exchanges(on: .replication).next(limit: 1)?.first)
        #expect(try await exchange.receive()?.count == 100)
        #expect(try await counted(sent: 100, received: 0))
        try await exchange.send([1, 2, 3])
        #expect(try await counted(sent: 100, received: 3))
        #expect(try await exchange.receive() == nil)

        pushes.add(Array(repeating: 1, count: 20), to: [receiver.boundAddress])
        let other = try #require(await receiver.exchanges(on: .replication).next(limit: 1)?.first)
        #expect(try await other.receive()?.count == 20)
        other.close()
        #expect(try await counted(sent: 120, received: 3), "the answer never came")
    }
}
