package import Membership
package import Replication
package import Transport

/// A whole node but for its sockets, its database and its clients: both engines, their exchanges, and the rules that join
/// them.
///
/// A plain value: feed it inputs, carry out the effects it returns in their order, and give it `.tick` no later than
/// `nextDeadline`. Same seeds and inputs, same effects. The product and the simulator drive the same value.
package struct NodeCore: Sendable {
    /// How long a farewell has to spread before the transport stops.
    package static let farewell: Duration = .milliseconds(200)
    /// Messages that one input brings at most, and so one merge and one commit.
    package static let maxArrivals = 512

    package private(set) var membership: MembershipEngine
    package private(set) var replication: ReplicationEngine
    private var membershipExchanges = MembershipExchanges()
    private var replicationExchanges: ReplicationExchanges
    private var peerChanges = PeerChanges()
    private var saving = MemberSaving()
    private var changes = ChangeIntake()
    private var malformedMessages = 0
    private var clock = ClockGuard()

    /// A node that knows nobody. `begin` is its first input.
    ///
    /// `start` must be greater at each start of this node; the store numbers them. All randomness follows from the
    /// generator, which should be unpredictable in production, since ping numbers come from it.
    package init(
        _ local: LocalMember, start: UInt64, membership: MembershipConfiguration = MembershipConfiguration(),
        replication: ReplicationConfiguration = ReplicationConfiguration(),
        seed: (membership: UInt64, replication: UInt64),
        at now: EngineInstant = .zero
    ) {
        self.membership = MembershipEngine(configuration: membership, local: local, seed: seed.membership, at: now)
        self.replication = ReplicationEngine(
            configuration: replication, nodeID: local.nodeID, start: start, seed: seed.replication)
        replicationExchanges = ReplicationExchanges(
            node: local.nodeID, maxServedWalks: replication.maxServedWalks)
    }

    // MARK: - How things stand

    /// Whether clients may be served.
    package var isReady: Bool { replication.isReady }

    /// Messages of a channel that the core takes now, at most. Of replication none while those of the last batch are being
    /// merged, so that a slow disk fills the transport's queue and nothing else.
    package func wantedArrivals(on channel: Channel) -> Int {
        switch channel {
        case .membership: Self.maxArrivals
        case .replication: changes.isMerging ? 0 : Self.maxArrivals
        }
    }

    /// What is known of this node's wall clock, as of the last change that counts.
    package var clockState: ClockState { clock.state }

    package var traffic: ExchangeTraffic { replicationExchanges.traffic }

    /// Messages and questions of membership that made no sense.
    package var malformedMembershipMessages: Int { malformedMessages + membershipExchanges.malformedCount }

    /// How full everything is that others can fill.
    package var occupancy: [Occupancy] {
        membership.occupancy + replication.occupancy + [membershipExchanges.occupancy]
            + replicationExchanges.occupancy
    }

    /// Earliest instant at which `.tick` has work.
    package var nextDeadline: EngineInstant {
        var earliest = replication.nextDeadline
        func consider(_ deadline: EngineInstant?) { if let deadline { earliest = min(earliest, deadline) } }
        consider(membership.nextDeadline)
        consider(membershipExchanges.nextDeadline)
        consider(replicationExchanges.nextDeadline)
        consider(peerChanges.deadline)
        consider(saving.deadline)
        return earliest
    }

    // MARK: - Inputs

    /// Takes one input and says what is to be done.
    package mutating func handle(_ input: Input, at moment: Moment) -> [Effect] {
        var out: [Effect] = []
        changes.noteInput(at: moment.time)
        switch input {
        case .begin(let seeds, let known):
            replication.begin(moment.summary)
            let effects = membership.join(
                seeds: seeds, knownMembers: known, hasData: moment.summary.count > 0, at: moment.time)
            carryOut(effects, moment, &out)
        case .arrived(let arrivals, on: .membership): receive(arrivals, moment, &out)
        case .arrived(let arrivals, on: .replication):
            let areFresh = changes.isFresh(count: arrivals.count, at: moment.time)
            let effects = replication.receive(
                arrivals, areFresh: areFresh, summary: moment.summary, at: moment.time)
            changes.note(effects, at: moment.time)
            carryOut(effects, moment, &out)
            out += clock.judge(replication, moment)
        case .connected: carryOut(replication.peerConnected(at: moment.time), moment, &out)
        case .committed(let rows): carryOut(replication.committed(rows, at: moment.time), moment, &out)
        case .merged(let token, let outcome): merged(token, outcome, moment, &out)
        case .mergeFailed(let token): merged(token, nil, moment, &out)
        case .accepted(let id, let peer): accept(id, from: peer, at: moment.time, &out)
        case .exchange(let id, let input): take(input, of: id, moment, &out)
        case .resolved(let seed, let addresses):
            if addresses.isEmpty { out.append(.emit(.unresolved(seed))) }
            carryOut(membership.seedResolved(seed, addresses: addresses, at: moment.time), moment, &out)
        case .leave: carryOut(replication.beginHandOver(summary: moment.summary, at: moment.time), moment, &out)
        case .tick: tick(moment, &out)
        }
        return out
    }

    private mutating func receive(_ arrivals: [Arrival], _ moment: Moment, _ out: inout [Effect]) {
        for arrival in arrivals {
            do throws(MembershipWireError) {
                let message = try MemberlistCodec.decode(arrival.message)
                carryOut(membership.receive(message, from: arrival.sender, at: moment.time), moment, &out)
            } catch {
                malformedMessages += 1
                out.append(.emit(.malformed(from: arrival.sender)))
            }
        }
    }

    private mutating func merged(
        _ token: ReplicationEngine.MergeToken, _ outcome: MergeOutcome?, _ moment: Moment, _ out: inout [Effect]
    ) {
        if let outcome {
            carryOut(replication.merged(token, outcome, at: moment.time), moment, &out)
        } else {
            carryOut(replication.mergeFailed(token, at: moment.time), moment, &out)
        }
        let hasExchange = replicationExchanges.merged(
            token, isDone: outcome != nil, isSynced: replication.isSynced, at: moment.time, &out)
        if !hasExchange { changes.noteMerged(token, at: moment.time) }
    }

    private mutating func accept(
        _ id: ExchangeID, from peer: PeerAddress, at now: EngineInstant, _ out: inout [Effect]
    ) {
        switch id.channel {
        case .membership: membershipExchanges.accept(id, from: peer, at: now, &out)
        case .replication: replicationExchanges.accept(id, from: peer, at: now, &out)
        }
    }

    private mutating func take(
        _ input: ExchangeInput, of id: ExchangeID, _ moment: Moment, _ out: inout [Effect]
    ) {
        switch id.channel {
        case .membership:
            let effects = membershipExchanges.take(input, of: id, &membership, at: moment.time, &out)
            carryOut(effects, moment, &out)
        case .replication:
            let effects = replicationExchanges.take(input, of: id, &replication, changes, moment, &out)
            carryOut(effects, moment, &out)
        }
    }

    private mutating func tick(_ moment: Moment, _ out: inout [Effect]) {
        carryOut(membership.advance(to: moment.time), moment, &out)
        carryOut(membershipExchanges.expire(&membership, at: moment.time, &out), moment, &out)
        if peerChanges.takeDue(at: moment.time) { changePeers(moment, &out) }
        carryOut(replication.advance(to: moment.time, summary: moment.summary), moment, &out)
        carryOut(replicationExchanges.expire(&replication, moment, &out), moment, &out)
        out += clock.judge(replication, moment)
        if saving.takeDue(at: moment.time) { out.append(.saveMembers(knownMembers)) }
    }

    // MARK: - Effects of membership

    private mutating func carryOut(_ effects: [MembershipEngine.Effect], _ moment: Moment, _ out: inout [Effect]) {
        guard !effects.isEmpty else { return }
        notePeers(effects, moment, &out)
        for effect in effects {
            switch effect {
            case .send(let message, let peer):
                out.append(.send(MemberlistCodec.encode(message), on: .membership, to: peer))
            case .broadcast(let message, let name):
                out.append(
                    .broadcast(MemberlistCodec.encode(message), on: .membership, BroadcastOptions(replacing: name)))
            case .pushPull(let peer, let isJoin):
                let effects = membershipExchanges.pushPull(
                    with: peer, isJoin: isJoin, &membership, at: moment.time, &out)
                carryOut(effects, moment, &out)
            case .streamPing(let ping, let peer): membershipExchanges.streamPing(ping, to: peer, &out)
            case .resolveSeed(let seed): out.append(.resolve(seed))
            case .emit(let event):
                out.append(.emit(.membership(event)))
                if case .startDecided(let decision) = event { start(decision, moment, &out) }
                if case .nobodyCame = event { carryOut(replication.settle(), moment, &out) }
            }
        }
    }

    /// Newcomers first: what the same input has to tell is for them too.
    private mutating func notePeers(
        _ effects: [MembershipEngine.Effect], _ moment: Moment, _ out: inout [Effect]
    ) {
        var (changesPeers, changesHearsay) = (false, false)
        for case .emit(let event) in effects {
            changesPeers = changesPeers || event.changesPeers
            changesHearsay = changesHearsay || event.changesHearsay
        }
        // Until the node is open, replication also wants to know whether somebody else may be there.
        guard changesPeers || (changesHearsay && !isReady) else { return }
        if peerChanges.note(peerCount: membership.clusterSize - 1, at: moment.time) { changePeers(moment, &out) }
    }

    private mutating func changePeers(_ moment: Moment, _ out: inout [Effect]) {
        let living = membership.livingMembers
        let effects = replication.setPeers(
            living.current.compactMap(\.replicationPeer), areComplete: membership.arePeersComplete,
            summary: moment.summary, at: moment.time)
        // Who replicates nothing with this node gets none of its changes.
        let replicating = Set(replication.peers.map(\.address))
        let peers = living.map { member in
            Peer(
                address: member.address, channels: replicating.contains(member.address) ? member.channels : .membership)
        }
        out.append(.setPeers(peers))
        carryOut(effects, moment, &out)
        saving.noteChange()
    }

    /// Those who are there, those who failed, and those of earlier runs who did not come are tried at the next start. Those
    /// who left are not, nor is the old name of a node that has another now.
    private var knownMembers: [KnownMember] {
        let members = (membership.livingMembers.current + membership.failedMembers).map {
            KnownMember(name: $0.name, nodeID: $0.nodeID, address: $0.address)
        }
        let nodes = Set(members.compactMap(\.nodeID))
        let addresses = Set(membership.livingMembers.map(\.address))
        let missed = membership.missedMembers.filter { missed in
            !addresses.contains(missed.address) && (missed.nodeID.map { !nodes.contains($0) } ?? true)
        }
        return members + missed
    }

    private mutating func start(_ decision: StartDecision, _ moment: Moment, _ out: inout [Effect]) {
        let effects =
            switch decision {
            case .first: replication.open(isSynced: true, summary: moment.summary, at: moment.time)
            case .refused, .alone: replication.open(isSynced: false, summary: moment.summary, at: moment.time)
            case .joined: replication.beginFirstSync(summary: moment.summary, at: moment.time)
            }
        carryOut(effects, moment, &out)
    }

    // MARK: - Effects of replication

    private mutating func carryOut(_ effects: [ReplicationEngine.Effect], _ moment: Moment, _ out: inout [Effect]) {
        for effect in effects {
            switch effect {
            case .broadcast(let message, let options): out.append(.broadcast(message, on: .replication, options))
            case .heartbeat(var heartbeat, let version):
                heartbeat.wallMilliseconds = UInt64(clamping: moment.wallMilliseconds)
                let message = ReplicationMessage.encode(heartbeat, version: version)
                let options = BroadcastOptions(replacing: "heartbeat", isRepeated: false)
                out.append(.broadcast(message, on: .replication, options))
            case .send(let message, let peer): out.append(.send(message, on: .replication, to: peer))
            case .push(let message, let peers): replicationExchanges.push(message, to: peers, &out)
            case .merge(let token, let rows): out.append(.merge(token, rows))
            case .walk(let peer):
                carryOut(replicationExchanges.walk(with: peer, &replication, moment, &out), moment, &out)
            case .emit(let event):
                out.append(.emit(.replication(told(event))))
                if case .becameReady = event { out.append(.openAPI) }
                if case .handedOver = event {
                    carryOut(membership.leave(at: moment.time), moment, &out)
                    out.append(.farewellSaid)
                }
            }
        }
    }

    /// With nobody here, others may all the same be cut off, and lack what is here.
    private func told(_ event: ReplicationEvent) -> ReplicationEvent {
        let isAlone =
            membership.livingMembers.isEmpty && membership.failedMembers.isEmpty && membership.missedMembers.isEmpty
        return event == .handedOver(.alone) && !isAlone ? .handedOver(.unsure) : event
    }
}

extension [Member] {
    /// Without the old names of nodes that have others now.
    fileprivate var current: Self { filter { !$0.isReplaced } }
}
