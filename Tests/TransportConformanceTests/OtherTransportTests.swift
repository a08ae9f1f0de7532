import Testing
import Transport

/// What nodes of one cluster say that were given different plugins.
@Suite("A node of another plugin", .serialized)
struct OtherTransportTests {
    /// Who dials whom.
    struct Meeting: Sendable, CustomTestStringConvertible {
        var dialler: Setting
        var acceptor: Setting

        static let all = [Setting.testKey, nil].flatMap { key in
            [(Plugin.udp, Plugin.zmq), (.zmq, .udp)].map { dialler, acceptor in
                Meeting(dialler: Setting(plugin: dialler, key: key), acceptor: Setting(plugin: acceptor, key: key))
            }
        }

        var testDescription: String { "\(dialler) to \(acceptor)" }
    }

    @Test("An exchange with it tells that it is one", arguments: Meeting.all, Channel.allCases)
    func otherTransport(meeting: Meeting, channel: Channel) async throws {
        try await withNodes(meeting.dialler.plugin.fixture(), [NodeOptions(key: meeting.dialler.key)]) { diallers in
            let options = [NodeOptions(key: meeting.acceptor.key)]
            try await withNodes(meeting.acceptor.plugin.fixture(), options) { acceptors in
                // A stranger that hangs up at once may take back what it has said, and one that a busy machine keeps
                // waiting has not said it yet: then it is tried again, as a node does that joins: for ever, and here for
                // 30 s.
                let deadline = ContinuousClock.now + .seconds(30)
                var errors: [ExchangeError?] = []
                repeat {
                    if !errors.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
                    errors.append(await exchangeError(diallers[0], with: acceptors[0].address, on: channel))
                } while [.closed, .noAnswer].contains(errors.last) && .now < deadline
                #expect(errors.last == .otherTransport, "\(errors)")
                // What passed between them was understood by neither.
                #expect(acceptors[0].transport.exchanges(on: channel).takeNow().isEmpty)
                #expect(acceptors[0].received(on: channel).isEmpty)
            }
        }
    }
}
