import Membership
import Simulation
import Testing
import Transport

@testable import Cluster
@testable import Replication

@Suite("Exchanges of replication")
struct ReplicationExchangeTests {
    /// A core that has joined node 2 and leads its first walk, with the walk's exchange.
    private func starting() throws -> (TestedCore, ExchangeID) {
        var node = try TestedCore()
        try node.join()
        let dial = node.pass(.seconds(1)).dials.first { $0.0.channel == .replication }
        let (id, address) = try #require(dial)
        #expect(address == peerAddress)
        return (node, id)
    }

    /// A core that serves clients, with node 2 as its peer.
    private func open(_ configure: (inout ReplicationConfiguration) -> Void = { _ in }) throws -> TestedCore {
        var node = try TestedCore(configure)
        try node.join()
        let dial = node.pass(.seconds(1)).dials.first { $0.0.channel == .replication }
        let (id, _) = try #require(dial)
        node.feed(.exchange(id, .opened))
        node.feed(.exchange(id, .answered(.topSums(TopSums(summary: .empty, sums: [])))))
        node.feed(.exchange(id, .sent(byteCount: 1)))
        node.feed(.exchange(id, .received(WalkMessage.accepted(wallMilliseconds: 0).encoded())))
        node.feed(.exchange(id, .received(WalkMessage.done(isSynced: true).encoded())))
        #expect(node.effects.opensAPI && node.core.isReady && node.core.replication.isSynced)
        node.feed(.exchange(id, .ended(nil)))
        return node
    }

    private func row(_ key: String, bytes: Int = 1, at milliseconds: Int64 = 1) -> EncodedRow {
        let stamp = Stamp(time: HybridTime(milliseconds: milliseconds), origin: NodeID(2))
        return EncodedRow(
            .created(
                key: ByteString(key), text: ByteString(String(repeating: "x", count: bytes)), atMilliseconds: 1,
                stamp: stamp))
    }

    private func push(_ rows: [EncodedRow], sequence: UInt64) -> [UInt8] {
        var changes = ReplicationMessage.changesHeader(
            stream: StreamID(origin: NodeID(2), start: 1), sequence: sequence)
        for row in rows { changes += row.bytes }
        return WalkMessage.push(
            WalkMessage.Push(reachedEveryone: true, sender: NodeID(2), changes: changes)
        ).encoded()
    }

    // MARK: - Led

    @Test("A first walk that ends with a synced donor opens the API, once")
    func firstWalk() throws {
        var node = try open()
        check(!node.pass(.seconds(3)).opensAPI)
    }

    @Test("A donor has 10 s for its next message, and the own store has all the time that it needs")
    func deadlines() throws {
        var (node, id) = try starting()
        node.feed(.exchange(id, .opened))
        check(node.effects.steps.first?.1 == ExchangeStep(then: .ask(.topSums)))
        check(!node.pass(.seconds(20)).abandoned.contains(id), "the store is slow")
        node.feed(.exchange(id, .answered(.topSums(TopSums(summary: .empty, sums: [])))))
        #expect(node.effects.steps.first?.1.next == .receive)
        check(!node.pass(.seconds(9)).abandoned.contains(id))
        node.feed(.exchange(id, .sent(byteCount: 10)))
        check(!node.pass(.seconds(9)).abandoned.contains(id), "taking a message moves the deadline")
        check(node.pass(.seconds(1)).abandoned.contains(id))
    }

    @Test(
        "A donor that breaks the protocol, refuses or goes is left for the next try",
        arguments: [
            (ExchangeInput.received([0xff]), WalkError.malformed),
            (.received(WalkMessage.refusal(.busy).encoded()), .refused(.busy)), (.ended(nil), .exchange(.closed)),
            (.ended(.refused), .exchange(.refused)), (.storeFailed, .store),
        ])
    func failures(input: ExchangeInput, error: WalkError) throws {
        var (node, id) = try starting()
        node.feed(.exchange(id, .opened))
        node.feed(.exchange(id, .answered(.topSums(TopSums(summary: .empty, sums: [])))))
        let events = node.feed(.exchange(id, input)).events
        #expect(
            events.contains { event in
                if case .replication(.walkFailed(_, error)) = event { true } else { false }
            })
        check(node.pass(.seconds(1)).dials.contains { $0.0.channel == .replication }, "it is tried again")
    }

    // MARK: - Served

    @Test("Beyond the walks that are served at once a peer is told to try again")
    func servedWalks() throws {
        var node = try open { $0.maxServedWalks = 2 }
        let question = WalkMessage.open(
            WalkMessage.Open(lowestVersion: 1, highestVersion: 1, node: NodeID(2), summary: .empty, topSums: [])
        ).encoded()
        func ask(_ number: UInt64, _ node: inout TestedCore) -> ExchangeStep? {
            let id = ExchangeID.accepted(number, on: .replication)
            node.feed(.accepted(id, from: peerAddress))
            return node.feed(.exchange(id, .received(question))).steps.first?.1
        }
        check(ask(1, &node)?.next == .ask(.topSums) && ask(2, &node)?.next == .ask(.topSums))
        check(
            ask(3, &node) == ExchangeStep(sending: [WalkMessage.refusal(.busy).encoded()], then: .close))
        node.feed(.exchange(.accepted(1, on: .replication), .ended(.closed)))
        #expect(node.effects.events == [.serveFailed(peerAddress, .exchange(.closed))])
        check(ask(4, &node)?.next == .ask(.topSums), "there is room again")
    }

    @Test("A pushed change is answered when it is durable, and not at all when it cannot be")
    func takenPush() throws {
        var node = try open()
        for (number, isDone) in [(UInt64(1), true), (2, false)] {
            let id = ExchangeID.accepted(number, on: .replication)
            node.feed(.accepted(id, from: peerAddress))
            node.feed(.exchange(id, .received(push([row("k\(number)")], sequence: number))))
            let (token, rows) = try #require(node.effects.merges.first)
            #expect(rows.map(\.key) == [ByteString("k\(number)")] && node.effects.steps.isEmpty)
            #expect(node.core.wantedArrivals(on: .replication) > 0, "arrivals do not wait for it")
            if isDone {
                let answer = node.feed(.merged(token, MergeOutcome(isNews: [true]))).steps.first?.1
                #expect(answer == ExchangeStep(sending: [WalkMessage.done(isSynced: true).encoded()], then: .receive))
                check(node.feed(.exchange(id, .ended(nil))).events.isEmpty, "a peer may close after its last")
            } else {
                check(node.feed(.mergeFailed(token)).abandoned == [id])
                #expect(node.effects.events == [.serveFailed(peerAddress, .store)])
            }
        }
    }

    @Test(
        "What is neither a walk nor a push ends the exchange",
        arguments: [
            ([0xff, 1], WalkError.malformed), ([1, 0xff], .malformed), (WalkMessage.finish.encoded(), .malformed),
            ([], .malformed), ([2, 9, 1], .refused(.otherVersion)),
        ] as [([UInt8], WalkError)])
    func hostile(message: [UInt8], error: WalkError) throws {
        var node = try open()
        let id = ExchangeID.accepted(1, on: .replication)
        node.feed(.accepted(id, from: peerAddress))
        check(node.feed(.exchange(id, .received(message))).abandoned == [id])
        #expect(node.effects.events == [.serveFailed(peerAddress, error)])
    }

    @Test("A peer that opens and says nothing is left after 10 s")
    func silentPeer() throws {
        var node = try open()
        let silent = ExchangeID.accepted(9, on: .replication)
        node.feed(.accepted(silent, from: peerAddress))
        check(node.pass(.seconds(10)).abandoned.contains(silent))
    }

    @Test("After a stop of this node what came meanwhile is read before deadlines are judged, but not for long")
    func standstill() throws {
        for isThere in [true, false] {
            var node = try open()
            let id = ExchangeID.accepted(1, on: .replication)
            node.feed(.accepted(id, from: peerAddress))
            node.now = node.now + .seconds(60)
            check(!node.feed(.tick).abandoned.contains(id))
            node.now = node.now + .milliseconds(100)
            if isThere { node.feed(.exchange(id, .received(push([row("k")], sequence: 1)))) }
            check(node.pass(.seconds(1)).abandoned.contains(id) == !isThere)
        }
    }

    @Test("A push that cannot be read is not said to be here", arguments: [[1, 9], [2, 1], [1, 1, 3]] as [[UInt8]])
    func unreadablePush(changes: [UInt8]) throws {
        var node = try open()
        let id = ExchangeID.accepted(1, on: .replication)
        node.feed(.accepted(id, from: peerAddress))
        let push = WalkMessage.Push(reachedEveryone: true, sender: NodeID(2), changes: changes)
        let effects = node.feed(.exchange(id, .received(WalkMessage.push(push).encoded())))
        check(effects.abandoned == [id] && effects.steps.isEmpty)
        #expect(effects.events.contains { if case .serveFailed(peerAddress, _) = $0 { true } else { false } })
        #expect(node.core.replication.stats.malformedMessages == 1)
    }

    @Test("A walk that was refused was not served", arguments: [(2, NodeID(2)), (1, NodeID(1))] as [(UInt8, NodeID)])
    func refusedWalk(version: UInt8, sender: NodeID) throws {
        var node = try open()
        let id = ExchangeID.accepted(1, on: .replication)
        node.feed(.accepted(id, from: peerAddress))
        let open = WalkMessage.Open(
            lowestVersion: version, highestVersion: 2, node: sender, summary: .empty, topSums: [])
        let refusal = version == 2 ? WalkMessage.Refusal.otherVersion : .sameNode
        let effects = node.feed(.exchange(id, .received(WalkMessage.open(open).encoded())))
        #expect(
            effects.steps.first?.1 == ExchangeStep(sending: [WalkMessage.refusal(refusal).encoded()], then: .close))
        #expect(effects.events == [.serveFailed(peerAddress, .refused(refusal))])
        #expect(node.core.replication.stats.servedWalks == 0)
    }

    // MARK: - Pushes

    @Test("Changes too large to broadcast go to a peer over one exchange, one after the other, and are counted")
    func pushes() throws {
        var node = try open()
        let id = try #require(node.feed(.committed([row("a", bytes: 5_000)])).dials.first?.0)
        check(node.feed(.committed([row("b", bytes: 5_000)])).dials.isEmpty, "the exchange is being dialled")
        let before = node.core.traffic
        var keys: [ByteString] = []
        node.feed(.exchange(id, .opened))
        while let step = node.effects.steps.first?.1, let message = step.messages.first {
            guard case .push(let push)? = try? WalkMessage.decode(message),
                case .changes(let changes)? = try? ReplicationMessage.decode(push.changes[...])
            else { break }
            keys += changes.rows.map(\.key)
            node.feed(.exchange(id, .sent(byteCount: message.count)))
            node.feed(.exchange(id, .received(WalkMessage.done(isSynced: true).encoded())))
        }
        #expect(keys == ["a", "b"])
        #expect(node.effects.steps.first?.1 == ExchangeStep(then: .close), "nothing waits any more")
        #expect(node.core.traffic.sentBytes - before.sentBytes > 10_000)
        #expect(node.core.traffic.receivedBytes - before.receivedBytes == 6)
        node.feed(.exchange(id, .ended(nil)))
        check(node.feed(.committed([row("c", bytes: 5_000)])).dials.count == 1, "the next needs one anew")
    }

    @Test("A peer that cannot be reached, or answers nothing, has its pushes dropped")
    func failedPush() throws {
        var node = try open()
        let first = try #require(node.feed(.committed([row("a", bytes: 5_000)])).dials.first?.0)
        node.feed(.exchange(first, .ended(.refused)))
        #expect(node.effects.events == [.pushFailed(peerAddress, .exchange(.refused))])
        let second = try #require(node.feed(.committed([row("b", bytes: 5_000)])).dials.first?.0)
        node.feed(.exchange(second, .opened))
        #expect(node.effects.steps.first?.1.messages.count == 1, "only what came after the failure")
        check(node.pass(.seconds(10)).abandoned.contains(second))
    }

    @Test("Pushes that wait are bounded for each peer")
    func pushBound() {
        var queues = PushQueues()
        let message = [UInt8](repeating: 0, count: 1024 * 1024)
        for number in 0..<8 { check(queues.add(message, for: peerAddress) == (number == 0)) }
        #expect(queues.occupancy.count == PushQueues.maxBytesPerPeer)
        var count = 0
        while queues.next(for: peerAddress) != nil { count += 1 }
        #expect(count == 4 && queues.occupancy.count == 0)
    }
}
