import Simulation
import Membership
import Replication
import TestSupport
import Transport
import TransportUDP

/// A cluster in one process, in virtual time, from one seed: packets are lost, doubled, delayed and reordered, nodes
/// crash and pause, links are cut. Everything above the sockets is the real thing.
struct VirtualNetwork {
    struct Faults {
        var loss = 0.0
        var duplication = 0.0
        var delay: ClosedRange<Duration> = .microseconds(200)...(.milliseconds(3))
    }

    enum Event {
        case packet([UInt8], from: Int, to: Int)
        case wake(Int)
        case pushPull(from: Int, to: PeerAddress, isJoin: Bool)
        case streamPing(PingBody, from: Int, to: PeerAddress)
        case push([UInt8], from: Int, to: Int)
        case walk(Int)
        case resume(Int)
        case connected(publisher: Int)
    }

    /// After how long a node hears the broadcasts of a peer that membership has told its transport of. `nil`: at once.
    private let connectDelay: ClosedRange<Duration>?
    private let configuration: ReplicationConfiguration
    var faults: Faults
    var nodes: [VirtualNode] = []
    private(set) var now = EngineInstant.zero
    /// Whether packets and connections pass from one node to another.
    var passes: (Int, Int) -> Bool = { _, _ in true }
    /// Every row that a node committed for a client: what must be there in the end, or be superseded.
    private(set) var acknowledged: [Row] = []
    private(set) var failures: [(observer: Int, name: String, at: EngineInstant)] = []
    /// A digest of all that happened, to tell two runs apart.
    private(set) var trace: UInt64 = 0
    var generator: SeededGenerator
    private var events = TimerQueue<Event>()
    private var walks: [Int: VirtualWalk] = [:]
    private var walkCount = 0
    private var startCount: UInt64 = 0

    init(
        count: Int, faults: Faults = Faults(), connectDelay: ClosedRange<Duration>? = nil,
        configuration: ReplicationConfiguration = .init(), seed: UInt64
    ) throws {
        self.faults = faults
        self.connectDelay = connectDelay
        self.configuration = configuration
        generator = SeededGenerator(seed: seed)
        for index in 0..<count {
            nodes.append(try makeNode(index, replica: nil))
        }
        for index in 0..<count { join(index) }
    }

    // MARK: - What a test does

    /// Runs until `end`, or until `isDone`, which is asked every 20 ms of virtual time.
    mutating func run(for duration: Duration, until isDone: (Self) -> Bool = { _ in false }) -> Bool {
        let end = now + duration
        var nextCheck = now
        while let next = events.earliest, next <= end {
            if next >= nextCheck {
                if isDone(self) { return true }
                nextCheck = next + .milliseconds(20)
            }
            now = next
            while let event = events.takeDue(at: now) { handle(event) }
        }
        now = end
        return isDone(self)
    }

    enum Write { case create, update(ByteString?, Bool?), delete }

    /// A client's write; `false` when the node refuses it (not ready, or no such todo).
    @discardableResult
    mutating func write(_ write: Write, _ key: ByteString, text: ByteString = "t", on index: Int) -> Bool {
        guard nodes[index].isRunning, !nodes[index].isPaused, nodes[index].replication.isReady else { return false }
        let wall = wallMilliseconds(index)
        let row: Row? =
            switch write {
            case .create: nodes[index].replica.create(key, text: text, wallMilliseconds: wall)
            case .update(let text, let completed):
                nodes[index].replica.update(key, text: text, completed: completed, wallMilliseconds: wall)
            case .delete: nodes[index].replica.delete(key, wallMilliseconds: wall)
            }
        guard let row else { return false }
        acknowledged.append(row)
        prepare(index)
        carryOut(nodes[index].replication.committed([row], at: now), of: index)
        settle(index)
        return true
    }

    mutating func crash(_ index: Int) {
        nodes[index].isRunning = false
        for id in walks.keys.sorted() where walks[id]?.involves(index) == true { endWalk(id, failed: true) }
    }

    /// A new process over the same data.
    mutating func restart(_ index: Int) throws {
        nodes[index] = try makeNode(index, replica: nodes[index].replica)
        join(index)
    }

    mutating func pause(_ index: Int, for duration: Duration) {
        nodes[index].isPaused = true
        events.add(.resume(index), at: now + duration)
    }

    var areReady: Bool { nodes.allSatisfy { !$0.isRunning || $0.replication.isReady } }

    /// Equal roots on all running nodes.
    var areEqual: Bool {
        let running = nodes.filter(\.isRunning)
        return running.allSatisfy { $0.replica.summary == running[0].replica.summary }
    }

    /// The join of every acknowledged write: what each replica must be in the end.
    func expected() -> MemoryReplica {
        var replica = MemoryReplica(nodeID: NodeID(.max))
        _ = replica.answer(.merge(acknowledged, latest: .max))
        return replica
    }

    // MARK: - Inside

    private mutating func makeNode(_ index: Int, replica: MemoryReplica?) throws -> VirtualNode {
        startCount += 1
        return try VirtualNode(
            index: index, replica: replica, configuration: configuration, start: startCount, seed: generator.next(),
            at: now)
    }

    private mutating func join(_ index: Int) {
        let seeds = [0, 1, 2].map { "\(VirtualNode.address($0))" }
        carryOut(nodes[index].membership.join(seeds: seeds, at: now), of: index)
        settle(index)
    }

    private func wallMilliseconds(_ index: Int) -> Int64 {
        1_700_000_000_000 + Int64(now.nanoseconds / 1_000_000) + nodes[index].clockOffset
    }

    private func latest(_ index: Int) -> HybridTime { HybridTime(milliseconds: wallMilliseconds(index) + 2_000) }

    private mutating func handle(_ event: Event) {
        switch event {
        case .packet(let bytes, let from, let to): deliver(bytes, from, to)
        case .wake(let index):
            guard nodes[index].wakeAt == now else { return }
            nodes[index].wakeAt = nil
            if nodes[index].isRunning, !nodes[index].isPaused { wake(index) }
        case .pushPull(let from, let address, let isJoin): pushPull(from, address, isJoin)
        case .streamPing(let ping, let from, let address):
            guard let to = reachable(from, address), nodes[from].isRunning,
                let ack = nodes[to].membership.answer(toStreamPing: ping)
            else { return }
            carryOut(nodes[from].membership.streamPingAnswered(sequence: ack.sequence, at: now), of: from)
            settle(from)
        case .push(let bytes, let from, let to):
            guard reachable(from, VirtualNode.address(to)) != nil,
                case .push(let push) = try? WalkMessage.decode(bytes)
            else { return }
            prepare(to)
            carryOut(nodes[to].replication.receive(push, at: now), of: to)
            settle(to)
        case .walk(let id): step(id)
        case .connected(let publisher):
            guard nodes[publisher].isRunning else { return }
            carryOut(nodes[publisher].replication.peerConnected(at: now), of: publisher)
            settle(publisher)
        case .resume(let index):
            nodes[index].isPaused = false
            let unread = nodes[index].unread
            nodes[index].unread = []
            for (from, packet) in unread { deliver(packet, from, index) }
            wake(index)
        }
    }

    private mutating func wake(_ index: Int) {
        carryOut(nodes[index].membership.advance(to: now), of: index)
        prepare(index)
        carryOut(nodes[index].replication.advance(to: now), of: index)
        settle(index)
    }

    /// Sends what the gossip gives, and plans the next wake.
    private mutating func settle(_ index: Int) {
        while true {
            let packets = nodes[index].gossip.nextPackets(at: now, limit: 64)
            if packets.isEmpty { break }
            for packet in packets { transmit(packet.content, from: index, to: packet.destination) }
        }
        let deadline = max(nodes[index].nextDeadline, now + .microseconds(1))
        if let planned = nodes[index].wakeAt, planned <= deadline { return }
        nodes[index].wakeAt = deadline
        events.add(.wake(index), at: deadline)
    }

    private mutating func transmit(_ packet: [UInt8], from: Int, to address: PeerAddress) {
        precondition(packet.count <= PacketCodec.maxPacketBytes, "a packet of \(packet.count) bytes")
        guard let to = VirtualNode.index(address), to < nodes.count, passes(from, to) else { return }
        note(UInt64(packet.count), UInt64(from), UInt64(to))
        for _ in 0..<(chance(faults.duplication) ? 2 : 1) where !chance(faults.loss) {
            events.add(.packet(packet, from: from, to: to), at: now + generator.duration(in: faults.delay))
        }
    }

    private mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &generator) < probability
    }

    private mutating func deliver(_ bytes: [UInt8], _ from: Int, _ to: Int) {
        guard nodes[to].isRunning else { return }
        guard !nodes[to].isPaused else { return nodes[to].unread.append((from, bytes)) }
        let sender = VirtualNode.address(from)
        for part in PacketCodec.decode(bytes[...]).parts {
            switch part.channel {
            case .membership:
                guard let message = try? MemberlistCodec.decode(Array(part.message)) else { continue }
                carryOut(nodes[to].membership.receive(message, from: sender, at: now), of: to)
            case .replication:
                guard hears(to, from, part.delivery) else { continue }
                let arrival = Arrival(message: Array(part.message), sender: sender, delivery: part.delivery)
                prepare(to)
                carryOut(nodes[to].replication.receive([arrival], at: now), of: to)
            }
        }
        settle(to)
    }

    private func hears(_ index: Int, _ publisher: Int, _ delivery: Arrival.Delivery) -> Bool {
        guard connectDelay != nil, delivery != .unicast else { return true }
        return nodes[index].hearsFrom[publisher].map { $0 <= now } ?? false
    }

    /// A node begins to connect to those whose broadcasts it does not hear yet.
    private mutating func connect(_ index: Int, to peers: [Int]) {
        guard let connectDelay else { return }
        for peer in peers where nodes[index].hearsFrom[peer] == nil {
            let instant = now + generator.duration(in: connectDelay)
            nodes[index].hearsFrom[peer] = instant
            events.add(.connected(publisher: peer), at: instant)
        }
    }

    private mutating func prepare(_ index: Int) { nodes[index].replication.summary = nodes[index].replica.summary }

    private mutating func carryOut(_ effects: [ReplicationEngine.Effect], of index: Int) {
        for effect in effects {
            switch effect {
            case .broadcast(let message, let options):
                nodes[index].gossip.broadcast(message, on: .replication, options: options)
            case .push(let message, let peers):
                for peer in peers {
                    guard let to = VirtualNode.index(peer) else { continue }
                    events.add(
                        .push(message, from: index, to: to), at: now + generator.duration(in: faults.delay) * 3)
                }
            case .merge(let token, let rows):
                guard case .merge(let outcome) = nodes[index].replica.answer(.merge(rows, latest: latest(index)))
                else { continue }
                prepare(index)
                carryOut(nodes[index].replication.merged(token, outcome, at: now), of: index)
            case .walk(let peer): beginWalk(from: index, with: peer)
            case .emit: break
            }
        }
    }

    private mutating func carryOut(_ effects: [MembershipEngine.Effect], of index: Int) {
        var arePeersNew = false
        for effect in effects {
            switch effect {
            case .send(let message, let peer):
                nodes[index].gossip.send(MemberlistCodec.encode(message), on: .membership, to: peer)
            case .broadcast(let message, let name):
                nodes[index].gossip.broadcast(
                    MemberlistCodec.encode(message), on: .membership, options: BroadcastOptions(replacing: name))
            case .pushPull(let peer, let isJoin):
                events.add(
                    .pushPull(from: index, to: peer, isJoin: isJoin),
                    at: now + generator.duration(in: faults.delay) * 3)
            case .streamPing(let ping, let peer):
                events.add(
                    .streamPing(ping, from: index, to: peer), at: now + generator.duration(in: faults.delay) * 4)
            case .resolveSeed: break
            case .emit(let event):
                if case .memberFailed(let member, _) = event { failures.append((index, member.name, now)) }
                if event.changesPeers { arePeersNew = true }
                if case .startDecided(let decision) = event {
                    if arePeersNew { passPeersOn(index) }
                    arePeersNew = false
                    prepare(index)
                    let join: JoinDecision =
                        switch decision {
                        case .first: .first
                        case .joined: .joined
                        case .alone: .alone
                        }
                    carryOut(nodes[index].replication.decided(join, at: now), of: index)
                }
            }
        }
        if arePeersNew { passPeersOn(index) }
    }

    private mutating func passPeersOn(_ index: Int) {
        let living = nodes[index].membership.members.filter {
            $0.status.isLiving && $0.isConfirmed && $0.name != VirtualNode.name(index)
        }
        nodes[index].gossip.setPeers(living.map { Peer(address: $0.address) })
        connect(index, to: living.compactMap { VirtualNode.index($0.address) })
        let peers = living.compactMap { member in
            member.nodeID.map { ReplicationPeer(nodeID: $0, address: member.address) }
        }
        prepare(index)
        carryOut(nodes[index].replication.setPeers(peers, at: now), of: index)
    }

    /// The node at `address`, if a connection from `from` comes about.
    private func reachable(_ from: Int, _ address: PeerAddress) -> Int? {
        guard let to = VirtualNode.index(address), to < nodes.count, nodes[to].isRunning, !nodes[to].isPaused,
            nodes[from].isRunning, passes(from, to), passes(to, from)
        else { return nil }
        return to
    }

    private mutating func pushPull(_ from: Int, _ address: PeerAddress, _ isJoin: Bool) {
        guard nodes[from].isRunning else { return }
        guard let to = reachable(from, address) else {
            let target = VirtualNode.index(address).flatMap { $0 < nodes.count ? nodes[$0] : nil }
            let outcome: SeedJoiner.Outcome = target?.isRunning == false ? .refused : .noAnswer
            carryOut(nodes[from].membership.pushPullFailed(with: address, outcome, at: now), of: from)
            return settle(from)
        }
        let question = nodes[from].membership.localState(isJoin: isJoin)
        let answer = nodes[to].membership.localState(isJoin: isJoin)
        let client = VirtualNode.address(from).with(port: 50_000)
        carryOut(nodes[to].membership.merge(question, from: client, weDialled: false, at: now).effects, of: to)
        carryOut(nodes[from].membership.merge(answer, from: address, weDialled: true, at: now).effects, of: from)
        settle(to)
        settle(from)
    }

    private mutating func note(_ values: UInt64...) {
        for value in values + [now.nanoseconds] { trace = (trace ^ value) &* 0x0000_0100_0000_01b3 }
    }
}

// Walks: turn by turn, each message taking its time, so that other things happen in between.
extension VirtualNetwork {
    private mutating func beginWalk(from index: Int, with peer: ReplicationPeer) {
        guard let to = VirtualNode.index(peer.address), to < nodes.count else { return }
        walkCount += 1
        walks[walkCount] = VirtualWalk(
            initiator: index, responder: to, peer: peer.nodeID,
            isResponderReady: nodes[to].replication.isReady)
        events.add(.walk(walkCount), at: now + generator.duration(in: faults.delay) * 3)
    }

    private mutating func step(_ id: Int) {
        guard var walk = walks[id] else { return }
        guard reachable(walk.initiator, VirtualNode.address(walk.responder)) != nil else {
            return endWalk(id, failed: true)
        }
        let isOver: Bool
        do {
            let (initiatorLimit, responderLimit) = (latest(walk.initiator), latest(walk.responder))
            isOver = try walk.step(&nodes, initiatorLimit, responderLimit)
        } catch {
            return endWalk(id, failed: true)
        }
        walks[id] = walk
        if isOver { return endWalk(id, failed: false) }
        prepare(walk.initiator)
        nodes[walk.initiator].replication.walkProgressed(with: walk.peer, at: now)
        events.add(.walk(id), at: now + generator.duration(in: faults.delay))
    }

    private mutating func endWalk(_ id: Int, failed: Bool) {
        guard let walk = walks.removeValue(forKey: id), nodes[walk.initiator].isRunning else { return }
        let index = walk.initiator
        prepare(index)
        let effects =
            if !failed, let outcome = walk.outcome {
                nodes[index].replication.walkFinished(with: walk.peer, outcome, at: now)
            } else {
                nodes[index].replication.walkFailed(with: walk.peer, .exchange(.closed), at: now)
            }
        carryOut(effects, of: index)
        settle(index)
    }
}
