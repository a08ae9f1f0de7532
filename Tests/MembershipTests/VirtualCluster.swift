import Foundation
import Membership
import Transport

/// Many engines in virtual time, over a network that loses and delays. Broadcasts are an epidemic as a transport makes
/// one: at once to a few random peers, then again by gossip ticks up to a transmit limit.
final class VirtualCluster {
    private enum Event: Sendable {
        case deliver(MembershipMessage, from: Int, to: Int)
        case wake(Int)
        case gossip(Int)
        case streamPing(PingBody, from: Int, to: Int)
        case pushPull(from: Int, to: Int, isJoin: Bool, isRepeated: Bool)
        case dialFailed(from: Int, to: Int, SeedJoiner.Outcome)
        case resume(Int)
    }

    private struct Node {
        var engine: MembershipEngine
        var isRunning = true
        var isPaused = false
        /// What lies unread while the node is paused.
        var unread: [(message: MembershipMessage, from: Int)] = []
        var wakeAt: EngineInstant?
        var gossip: [(about: String, message: MembershipMessage, transmits: Int)] = []
        var isGossipScheduled = false
    }

    struct Observation {
        let at: EngineInstant
        let observer: Int
        let event: MembershipEvent
    }

    private var nodes: [Node]
    private var events = TimerQueue<Event>()
    private var generator: SeededGenerator
    private let lossPercent: Double
    private let transmitLimit: Int
    private(set) var now = EngineInstant.zero
    private var isOnFirstSide: (Int) -> Bool = { _ in true }
    private(set) var deliveredCount = 0
    private(set) var observations: [Observation] = []

    /// Node `n` is called `node-n` and lives at `address(n + 1)`. `isJoined`: everybody knows everybody from the start.
    init(count: Int, isJoined: Bool, lossPercent: Double = 0, seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        self.lossPercent = lossPercent
        transmitLimit = 4 * Int(log10(Double(count + 1)).rounded(.up))
        let members = (0..<count).map { index in
            AliveBody(
                incarnation: 1, node: Self.name(index), address: address(UInt32(index + 1)),
                meta: Self.local(index).meta)
        }
        nodes = (0..<count).map { index in
            Node(
                engine: MembershipEngine(
                    local: Self.local(index), joinedWith: isJoined ? members : [],
                    seed: seed &* 1_000_003 &+ UInt64(index)))
        }
        for index in nodes.indices { scheduleWake(index) }
    }

    static func name(_ index: Int) -> String { "node-\(index)" }

    static func local(_ index: Int) -> LocalMember {
        do {
            return try LocalMember(
                name: name(index), nodeID: NodeID(UInt64(index + 1)), address: address(UInt32(index + 1)))
        } catch {
            fatalError("\(error)")
        }
    }

    func engine(_ index: Int) -> MembershipEngine { nodes[index].engine }

    func input(_ index: Int, _ body: (inout MembershipEngine, EngineInstant) -> [Effect]) {
        let effects = body(&nodes[index].engine, now)
        carryOut(effects, of: index)
        scheduleWake(index)
    }

    func crash(_ index: Int) { nodes[index].isRunning = false }

    /// A new process at the same address, which knows nothing.
    func restart(_ index: Int) {
        nodes[index] = Node(
            engine: MembershipEngine(local: Self.local(index), seed: generator.next(), at: now))
        scheduleWake(index)
    }

    /// Only nodes on the same side reach each other.
    func split(_ side: @escaping (Int) -> Bool) { isOnFirstSide = side }

    func pause(_ index: Int, for duration: Duration) {
        nodes[index].isPaused = true
        events.add(.resume(index), at: now + duration)
    }

    /// Runs until `end`, or until `isDone` holds; it is asked after each 50 ms.
    func run(to end: EngineInstant, until isDone: () -> Bool = { false }) {
        var nextCheck = now + .milliseconds(50)
        while let next = events.earliest, next <= end {
            if next > nextCheck {
                if isDone() { return }
                nextCheck = next + .milliseconds(50)
            }
            now = next
            if let event = events.takeDue(at: now) { handle(event) }
        }
        now = end
    }

    private func handle(_ event: Event) {
        switch event {
        case .deliver(let message, let from, let to): deliver(message, from, to)
        case .wake(let index):
            guard nodes[index].wakeAt == now, !nodes[index].isPaused, nodes[index].isRunning else { return }
            nodes[index].wakeAt = nil
            input(index) { $0.advance(to: $1) }
        case .gossip(let index): gossip(index)
        case .streamPing(let ping, let from, let to):
            guard isReachable(to), isReachable(from), isOnFirstSide(from) == isOnFirstSide(to),
                nodes[to].engine.answer(toStreamPing: ping) != nil
            else { return }
            input(from) { $0.streamPingAnswered(sequence: ping.sequence, at: $1) }
        case .pushPull(let from, let to, let isJoin, let isRepeated): pushPull(from, to, isJoin, isRepeated)
        case .dialFailed(let from, let to, let outcome):
            input(from) { $0.pushPullFailed(with: address(UInt32(to + 1)), outcome, at: $1) }
        case .resume(let index):
            nodes[index].isPaused = false
            let unread = nodes[index].unread
            nodes[index].unread = []
            // The harder order: the timers are looked at before what lies unread.
            input(index) { $0.advance(to: $1) }
            for (message, from) in unread { deliver(message, from, index) }
        }
    }

    private func isReachable(_ index: Int) -> Bool { nodes[index].isRunning && !nodes[index].isPaused }

    private func deliver(_ message: MembershipMessage, _ from: Int, _ to: Int) {
        guard nodes[to].isRunning, isOnFirstSide(from) == isOnFirstSide(to) else { return }
        guard !nodes[to].isPaused else {
            nodes[to].unread.append((message, from))
            return
        }
        deliveredCount += 1
        input(to) { $0.receive(message, from: address(UInt32(from + 1)), at: $1) }
    }

    /// Where packets are dropped, a dial takes as long as TCP's: repeated after 1 s, given up after 3 s.
    private func pushPull(_ from: Int, _ to: Int, _ isJoin: Bool, _ isRepeated: Bool) {
        guard isReachable(from) else { return }
        let peer = address(UInt32(to + 1))
        guard isOnFirstSide(from) == isOnFirstSide(to) else {
            if isRepeated {
                events.add(.dialFailed(from: from, to: to, .noAnswer), at: now + .seconds(2))
            } else {
                events.add(.pushPull(from: from, to: to, isJoin: isJoin, isRepeated: true), at: now + .seconds(1))
            }
            return
        }
        guard isReachable(to) else {
            let outcome: SeedJoiner.Outcome = nodes[to].isRunning ? .noAnswer : .refused
            input(from) { $0.pushPullFailed(with: peer, outcome, at: $1) }
            return
        }
        let question = nodes[from].engine.localState(isJoin: isJoin)
        let answer = nodes[to].engine.localState(isJoin: isJoin)
        input(to) {
            $0.merge(question, from: address(UInt32(from + 1)).with(port: 50_000), weDialled: false, at: $1).effects
        }
        input(from) { $0.merge(answer, from: peer, weDialled: true, at: $1).effects }
    }

    private func carryOut(_ effects: [Effect], of index: Int) {
        for effect in effects {
            switch effect {
            case .send(let message, let peer): transmit(message, from: index, to: Self.index(peer))
            case .broadcast(let message, let about):
                for peer in peers(of: index, max(4, Int(log(Double(nodes.count)).rounded(.up)) + 2)) {
                    transmit(message, from: index, to: peer)
                }
                nodes[index].gossip.removeAll { $0.about == about }
                nodes[index].gossip.append((about, message, 0))
                scheduleGossip(index)
            case .pushPull(let peer, let isJoin):
                guard let to = Self.index(peer), to < nodes.count else { continue }
                events.add(.pushPull(from: index, to: to, isJoin: isJoin, isRepeated: false), at: now + delay())
            case .streamPing(let ping, let peer):
                guard let to = Self.index(peer), to < nodes.count else { continue }
                events.add(.streamPing(ping, from: index, to: to), at: now + delay() * 4)
            case .resolveSeed: break
            case .emit(let event):
                switch event {
                case .memberHeard: break
                default: observations.append(Observation(at: now, observer: index, event: event))
                }
            }
        }
    }

    private func transmit(_ message: MembershipMessage, from: Int, to: Int?) {
        guard let to, to < nodes.count, Double.random(in: 0..<100, using: &generator) >= lossPercent else { return }
        events.add(.deliver(message, from: from, to: to), at: now + delay())
    }

    private func delay() -> Duration { generator.duration(in: .microseconds(200)...(.milliseconds(5))) }

    private static func index(_ peer: PeerAddress) -> Int? {
        guard case .v4(let host) = peer.host, host > 0x0a00_0000 else { return nil }
        return Int(host - 0x0a00_0001)
    }

    /// Random peers: of those that the node knows, or, to save time in large clusters, of all.
    private func peers(of index: Int, _ count: Int) -> [Int] {
        if nodes.count <= 64 {
            let known = nodes[index].engine.members.filter { $0.status.isLiving && $0.isConfirmed }
                .compactMap { Self.index($0.address) }.filter { $0 != index }
            return Array(known.shuffled(using: &generator).prefix(count))
        }
        return (0..<count).map { _ in Int.random(in: 0..<nodes.count, using: &generator) }.filter { $0 != index }
    }

    private func scheduleGossip(_ index: Int) {
        guard !nodes[index].isGossipScheduled else { return }
        nodes[index].isGossipScheduled = true
        events.add(.gossip(index), at: now + .milliseconds(200))
    }

    private func gossip(_ index: Int) {
        nodes[index].isGossipScheduled = false
        guard isReachable(index) else { return }
        for peer in peers(of: index, 3) {
            for place in nodes[index].gossip.indices.prefix(8) {
                nodes[index].gossip[place].transmits += 1
                transmit(nodes[index].gossip[place].message, from: index, to: peer)
            }
            nodes[index].gossip.removeAll { $0.transmits >= transmitLimit }
        }
        if !nodes[index].gossip.isEmpty { scheduleGossip(index) }
    }

    private func scheduleWake(_ index: Int) {
        guard let next = nodes[index].engine.nextDeadline else { return }
        if let planned = nodes[index].wakeAt, planned <= next { return }
        let instant = max(next, now)
        nodes[index].wakeAt = instant
        events.add(.wake(index), at: instant)
    }
}
