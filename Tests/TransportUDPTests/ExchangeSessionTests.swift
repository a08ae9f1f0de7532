import Foundation
import Testing
import Transport

@testable import TransportUDP

/// Finds the end of messages of one length, and adds up how many bytes it was shown.
///
/// `@unchecked Sendable`: the sum is touched under `lock` only.
final class LookCounter: @unchecked Sendable {
    private let messageBytes: Int
    private let lock = NSLock()
    private var sum = 0

    init(messageBytes: Int) { self.messageBytes = messageBytes }

    var bytes: Int { lock.withLock { sum } }

    var end: StreamFraming.Finder {
        { [self] bytes in
            lock.withLock { sum += bytes.count }
            return bytes.count < messageBytes ? .needsMore : .complete(messageBytes)
        }
    }
}

@Suite("Exchange sessions")
struct ExchangeSessionTests {
    private func session(_ counter: LookCounter) -> ExchangeSession {
        var session = ExchangeSession(role: .acceptor, key: nil, membershipStreamEnd: counter.end)
        _ = session.start()
        return session
    }

    private func messages(_ outputs: [ExchangeSession.Output]) -> [[UInt8]] {
        outputs.compactMap { if case .message(let message) = $0 { message } else { nil } }
    }

    @Test("A long clear message in single bytes is not looked at again for each of them")
    func singleBytes() throws {
        let counter = LookCounter(messageBytes: 200_000)
        var session = session(counter)
        var arrived: [[UInt8]] = []
        var lookCount = 0
        for number in 1...200_000 {
            arrived += messages(session.receive([8]))
            // Slow as it is, the timer fires now and then.
            if number % 10_000 == 0, session.lookDelay != nil {
                lookCount += 1
                arrived += messages(session.look())
            }
        }
        if arrived.isEmpty { arrived += messages(session.look()) }
        #expect(arrived.map(\.count) == [200_000])
        #expect(lookCount > 5)
        #expect(counter.bytes < 64 * 200_000)
        #expect(session.lookDelay == nil && session.look().isEmpty)
    }

    @Test("A message that is whole between two looks is found by the next, or when the stream ends")
    func betweenLooks() {
        for isEnded in [false, true] {
            let counter = LookCounter(messageBytes: 10_000)
            var session = session(counter)
            #expect(messages(session.receive([UInt8](repeating: 8, count: 9_999))).isEmpty)
            #expect(session.lookDelay == nil)
            #expect(messages(session.receive([8])).isEmpty)
            #expect(session.lookDelay == .milliseconds(20))
            let outputs = isEnded ? session.receiveEnd() : session.look()
            #expect(messages(outputs).map(\.count) == [10_000])
            if isEnded, case .ended = outputs.last {} else { #expect(!isEnded) }
        }
    }

    @Test("Delays double while bytes trickle, and begin anew when they flow")
    func delays() {
        var session = session(LookCounter(messageBytes: 1_000_000))
        _ = session.receive([UInt8](repeating: 8, count: 100_000))
        var delays: [Duration] = []
        for _ in 0..<10 {
            _ = session.receive([8])
            delays.append(session.lookDelay ?? .zero)
            _ = session.look()
        }
        #expect(delays == [20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 5_120].map { .milliseconds($0) })
        _ = session.receive([UInt8](repeating: 8, count: 20_000))
        _ = session.receive([8])
        #expect(session.lookDelay == .milliseconds(20))
    }

    @Test("Short messages come at once, and a message over the limit ends the exchange")
    func limits() {
        var session = session(LookCounter(messageBytes: 4_096))
        for number in 1...(3 * 4_096) {
            #expect(messages(session.receive([8])).count == (number % 4_096 == 0 ? 1 : 0))
        }
        var endless = self.session(LookCounter(messageBytes: .max))
        _ = endless.receive([UInt8](repeating: 8, count: ExchangeSession.maxMessageBytes))
        guard case .failed(.tooLarge, _, _) = endless.receive([8]).last else {
            Issue.record("not over")
            return
        }
    }
}
