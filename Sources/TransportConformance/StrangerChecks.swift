internal import Foundation
internal import Testing
internal import Transport
internal import TransportKit

/// How plugins turn each other away, so that each tells that the other is one. No plugin has to know another for it:
///
/// - An acceptor that does not understand what comes reads it, and hangs up without a word.
/// - A dialler says `otherTransport` where the first bytes are none of its own protocol, and where the peer ends the connection
///   before any byte. A connection that is reset before any byte is `closed`: a node that is just stopping does that.
enum StrangerChecks {
    static let all: [ConformanceCheck] = [
        .perChannel("Who hangs up without a word is another transport", hangsUp),
        .perChannel("Who answers with words of its own is another transport", answers),
        .perSetting("Who speaks another protocol is hung up on without a word", isHungUpOn),
    ]

    static func hangsUp(setting: Setting, channel: Channel) async throws {
        try await meet(setting, channel, answer: [])
    }

    static func answers(setting: Setting, channel: Channel) async throws {
        try await meet(setting, channel, answer: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
    }

    private static func meet(_ setting: Setting, _ channel: Channel, answer: [UInt8]) async throws {
        let fixture = setting.plugin.fixture()
        guard fixture.usesSockets else { return }
        let stranger = try Stranger(answer: answer)
        try await withNodes(fixture, [NodeOptions(key: setting.key)]) { nodes in
            try await expectOtherTransport(nodes[0], stranger.address, channel)
        }
    }

    static func isHungUpOn(setting: Setting) async throws {
        let fixture = setting.plugin.fixture()
        guard fixture.usesSockets, !fixture.speaksFirst else { return }
        try await withNodes(fixture, [NodeOptions(key: setting.key)]) { nodes in
            let socket = try StreamSocket.connect(to: nodes[0].address)
            await eventually("it is connected") { socket.connectError() == nil && socket.peerAddress != nil }
            #expect(socket.write(Array("GET / HTTP/1.0\r\n\r\n".utf8)[...]) == .moved(18))
            var (bytes, last): ([UInt8], StreamSocket.Transfer) = ([], .wouldBlock)
            await eventually("it hangs up", within: .seconds(5)) {
                last = socket.read(into: &bytes)
                return last != .wouldBlock
            }
            #expect(last == .ended && bytes.isEmpty)
            #expect(nodes[0].transport.exchanges(on: .replication).takeNow().isEmpty)
        }
    }

    static func meetings(of dialler: TestedPlugin, with acceptor: TestedPlugin) -> [ConformanceCase] {
        guard dialler.fixture().usesSockets, acceptor.fixture().usesSockets else { return [] }
        return [nil, Setting.testKey].flatMap { key in
            Channel.allCases.map { channel in
                ConformanceCase(
                    claim: "An exchange with another plugin tells that it is one",
                    variant: "\(dialler.name) to \(acceptor.name)\(key == nil ? "" : ", with key"), \(channel)"
                ) {
                    try await meet(dialler, acceptor, key: key, channel)
                }
            }
        }
    }

    private static func meet(
        _ dialler: TestedPlugin, _ acceptor: TestedPlugin, key: [UInt8]?, _ channel: Channel
    ) async throws {
        try await withNodes(dialler.fixture(), [NodeOptions(key: key)]) { diallers in
            try await withNodes(acceptor.fixture(), [NodeOptions(key: key)]) { acceptors in
                try await expectOtherTransport(diallers[0], acceptors[0].address, channel)
                // What passed between them was understood by neither.
                #expect(acceptors[0].transport.exchanges(on: channel).takeNow().isEmpty)
                #expect(acceptors[0].received(on: channel).isEmpty)
            }
        }
    }

    /// A stranger that hangs up at once may take back what it has said, and one that a busy machine keeps waiting has not
    /// said it yet: then it is tried again, as a node does that joins: for ever, and here for 30 s.
    private static func expectOtherTransport(
        _ dialler: TestNode, _ address: PeerAddress, _ channel: Channel
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        var errors: [ExchangeError?] = []
        repeat {
            if !errors.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
            errors.append(await exchangeError(dialler, with: address, on: channel))
        } while [.closed, .noAnswer].contains(errors.last) && .now < deadline
        #expect(errors.last == .otherTransport, "\(errors)")
    }
}

/// A listener that is no node: reads the first bytes that come, answers or does not, and hangs up. On a thread of its own,
/// which ends with the last reference.
///
/// `@unchecked Sendable`: `socket` is used by the thread only once that runs; `wakeup` takes care of itself.
private final class Stranger: @unchecked Sendable {
    let address: PeerAddress
    private let wakeup: Wakeup

    init(answer: [UInt8]) throws {
        let (listener, bound) = try StreamSocket.listen(on: SilentListeners.loopback)
        let wakeup = try Wakeup()
        (address, self.wakeup) = (bound, wakeup)
        try OwnerThread.start { try? Self.serve(listener, wakeup, answer) }.detach()
    }

    deinit { wakeup.signal() }

    private static func serve(_ listener: StreamSocket, _ wakeup: Wakeup, _ answer: [UInt8]) throws {
        let poller = try Poller()
        try poller.add(listener.descriptor, tag: 0)
        try poller.add(wakeup.descriptor, tag: 1)
        var open: [UInt64: StreamSocket] = [:]
        var lastTag: UInt64 = 1
        while true {
            for ready in try poller.wait(until: nil) {
                if ready.tag == 1 { return }
                if ready.tag == 0 {
                    while case .connection(let socket, _) = listener.accept() {
                        lastTag += 1
                        open[lastTag] = socket
                        try poller.add(socket.descriptor, tag: lastTag)
                    }
                } else if let socket = open.removeValue(forKey: ready.tag) {
                    var bytes: [UInt8] = []
                    _ = socket.read(into: &bytes)
                    if !answer.isEmpty { _ = socket.write(answer[...]) }
                    poller.remove(socket.descriptor)
                    socket.close()
                }
            }
        }
    }
}
