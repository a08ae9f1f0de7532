import Membership
import Testing
import Transport

@testable import Cluster
@testable import Replication

@Suite("Exchanges of membership")
struct MembershipExchangeTests {
    @Test("A dial sends the own state, merges the answer, and tells peers before anything else goes out")
    func join() throws {
        var node = try TestedCore()
        let id = try node.dialSeed()
        node.feed(.exchange(id, .opened))
        let (_, step) = try #require(node.effects.steps.first)
        #expect(step.next == .receive && step.messages.count == 1)
        guard case .pushPull(let state)? = try? MemberlistCodec.decodeStream(step.messages[0]) else {
            return #expect(Bool(false), "no push/pull was sent")
        }
        #expect(state.isJoin && state.nodes.map(\.member.node) == ["node-1"])

        node.feed(.exchange(id, .received(try TestedCore.state(of: 2, at: peerAddress))))
        #expect(node.effects.peerLists.first == [Peer(address: peerAddress)])
        #expect(node.effects.steps.first?.1 == ExchangeStep(then: .close))
        #expect(node.effects.events.contains(.dialled(peerAddress)))
        let firstPeers = node.effects.firstIndex { if case .setPeers = $0 { true } else { false } }
        let firstSend = node.effects.firstIndex {
            switch $0 {
            case .send, .broadcast: true
            default: false
            }
        }
        #expect(try #require(firstPeers) < firstSend ?? .max)
    }

    @Test(
        "An answer that is none, an end and an error are told to the seeds' joiner",
        arguments: [
            (ExchangeInput.received([1, 2, 3]), ExchangeError.otherTransport),
            (.ended(nil), .closed), (.ended(.otherKey), .otherKey), (.ended(.refused), .refused),
        ])
    func failures(input: ExchangeInput, error: ExchangeError) throws {
        var node = try TestedCore()
        let id = try node.dialSeed()
        node.feed(.exchange(id, .opened))
        node.feed(.exchange(id, input))
        #expect(node.effects.events.contains(.dialFailed(peerAddress, error)))
        check(node.feed(.exchange(id, .ended(nil))).isEmpty, "one end counts")
    }

    @Test("A peer that answers nothing is left after 5 s, also one that takes nothing")
    func deadline() throws {
        var node = try TestedCore()
        let id = try node.dialSeed()
        node.feed(.exchange(id, .opened))
        check(node.pass(.milliseconds(4_999)).abandoned.isEmpty)
        let late = node.pass(.milliseconds(1))
        #expect(late.abandoned == [id] && late.events.contains(.dialFailed(peerAddress, .noAnswer)))
        check(node.feed(.exchange(id, .received([1]))).isEmpty, "what comes too late changes nothing")
    }

    @Test("Our state goes out before theirs is merged")
    func serve() throws {
        var node = try TestedCore()
        let id = ExchangeID.accepted(1, on: .membership)
        node.feed(.accepted(id, from: peerAddress.with(port: 50_000)))
        #expect(node.effects.steps.first?.1 == ExchangeStep(then: .receive))
        node.feed(.exchange(id, .received(try TestedCore.state(of: 2, at: peerAddress, isJoin: true))))
        let (_, step) = try #require(node.effects.steps.first)
        guard case .pushPull(let state)? = try? MemberlistCodec.decodeStream(step.messages.first ?? []) else {
            return #expect(Bool(false), "no push/pull was sent")
        }
        #expect(state.nodes.map(\.member.node) == ["node-1"] && step.next == .close)
        #expect(node.core.membership.members.map(\.name) == ["node-1", "node-2"])
    }

    @Test("A question that is none is counted, and a peer that asks nothing is left after 5 s")
    func hostile() throws {
        var node = try TestedCore()
        let (rubbish, silent) = (ExchangeID.accepted(1, on: .membership), ExchangeID.accepted(2, on: .membership))
        node.feed(.accepted(rubbish, from: peerAddress))
        node.feed(.exchange(rubbish, .received([0xff, 1])))
        #expect(node.core.malformedMembershipMessages == 1)
        #expect(node.effects.steps.first?.1 == ExchangeStep(then: .close))
        node.feed(.accepted(silent, from: peerAddress))
        check(node.pass(.seconds(5)).abandoned.contains(silent))
    }

    @Test("Beyond the bound exchanges are turned away, and there is room again once one ends")
    func bound() throws {
        var node = try TestedCore()
        let limit = try #require(node.core.occupancy.first { $0.name == "exchanges of membership" }).limit
        for number in 0..<UInt64(limit) { node.feed(.accepted(.accepted(number, on: .membership), from: peerAddress)) }
        let next = ExchangeID.accepted(UInt64(limit), on: .membership)
        check(node.feed(.accepted(next, from: peerAddress)).abandoned == [next])
        node.feed(.exchange(.accepted(0, on: .membership), .ended(nil)))
        check(node.feed(.accepted(next, from: peerAddress)).steps.count == 1)
    }
}
