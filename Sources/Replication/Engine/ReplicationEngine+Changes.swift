package import Transport

/// Changes: those of this node go out, those of others are merged and passed on.
extension ReplicationEngine {
    /// Peers up to which a push goes to all of them at once; beyond it to some, who pass it on.
    private static let maxDirectPushes = 30

    /// Rows were committed here by a client: tell everyone.
    package mutating func committed(_ rows: [EncodedRow], at now: EngineInstant) -> [Effect] {
        guard !rows.isEmpty else { return [] }
        let effects = own.number(rows, version: table.versions.spoken).flatMap { send($0, skipping: []) }
        stats.sentRows += rows.count
        // The last message of a burst is followed by its head soon, in case it is lost.
        own.hastenHeartbeat(to: now + configuration.tailHeartbeatDelay)
        return effects
    }

    /// Messages from the transport. All their rows go into one merge. `areFresh`: they have not waited anywhere in this
    /// process, and so show what their senders' clocks show.
    package mutating func receive(
        _ arrivals: [Arrival], areFresh: Bool = true, summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        var effects: [Effect] = []
        var batch = MergeLedger.Batch()
        for arrival in arrivals where !isDuplicate(arrival.message) {
            do throws(ReplicationMessage.Failure) {
                switch try ReplicationMessage.decode(arrival.message[...]) {
                case .heartbeat(let heartbeat): effects += receive(heartbeat, isFresh: areFresh, summary, at: now)
                case .pull(let pull): effects += receive(pull, from: arrival.sender, at: now)
                case .changes(let changes):
                    let needsRelay = arrival.delivery == .broadcast(reachedEveryone: false)
                    collect(
                        changes, relayed: needsRelay ? arrival.message : nil, from: arrival.sender, at: now,
                        into: &batch)
                }
            } catch { effects += note(error, from: arrival.sender) }
        }
        return effects + merge(batch)
    }

    /// Changes that came by exchange, since they are too large to be broadcast. `error`: they cannot be read, and the sender
    /// must not be told that they are here.
    package mutating func receive(
        _ push: WalkMessage.Push, at now: EngineInstant
    ) -> (effects: [Effect], error: WalkError?) {
        var batch = MergeLedger.Batch()
        let sender = table[push.sender]?.address
        do throws(ReplicationMessage.Failure) {
            guard case .changes(let changes) = try ReplicationMessage.decode(push.changes[...]) else {
                throw .malformed
            }
            collect(
                changes, relayed: push.reachedEveryone ? nil : push.changes, from: sender, at: now, into: &batch)
        } catch { return (note(error, from: sender), WalkError(error)) }
        return (merge(batch), nil)
    }

    /// A message could not be read.
    private mutating func note(_ failure: ReplicationMessage.Failure, from sender: PeerAddress?) -> [Effect] {
        stats.malformedMessages += 1
        switch failure {
        case .malformed, .unknownKind: break
        case .unknownRecord: stats.unknownRecords += 1
        case .unknownVersion(let version):
            stats.unknownVersions += 1
            if table.versions.noteUnknown(version) { return [.emit(.unknownVersion(version, from: sender))] }
        }
        return []
    }

    /// The store has merged what `.merge` asked for.
    package mutating func merged(_ token: MergeToken, _ outcome: MergeOutcome, at now: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        let messages = merges.end(token)
        guard !messages.isEmpty else { return [] }
        for message in messages where message.rows.upperBound <= outcome.isNews.count {
            let newsCount = outcome.isNews[message.rows].count { $0 }
            stats.mergedRows += newsCount
            if newsCount > 0, let relay = message.relay {
                stats.relayedMessages += 1
                effects += send(relay.message, skipping: relay.skipping)
            }
        }
        if outcome.aheadCount > 0, let furthest = outcome.furthestAhead {
            stats.aheadRows += outcome.aheadCount
            effects.append(.emit(.clockAhead(count: outcome.aheadCount, furthest: furthest)))
        }
        return effects
    }

    /// The store could not merge: nothing was changed, so a walk has to bring it again.
    package mutating func mergeFailed(_ token: MergeToken, at now: EngineInstant) -> [Effect] {
        stats.failedMerges += 1
        for message in merges.end(token) {
            streams.update(message.stream.origin) { $0.noteLost() }
            noteGap(message.stream.origin, at: now)
        }
        return []
    }

    /// Whether a message is a change that is here already, told by its head alone: in a large cluster most are. Counts it.
    private mutating func isDuplicate(_ message: [UInt8]) -> Bool {
        guard let (id, sequence) = ReplicationMessage.number(of: message[...]) else { return false }
        guard id.origin == own.id.origin || (table.has(id.origin) && streams.has(sequence, of: id)) else {
            return false
        }
        stats.receivedMessages += 1
        stats.duplicateMessages += 1
        return true
    }

    private mutating func merge(_ batch: MergeLedger.Batch) -> [Effect] {
        merges.begin(batch).map { [.merge($0, batch.rows)] } ?? []
    }

    /// `relayed`: the message as it came, if its sender did not reach everyone.
    private mutating func collect(
        _ changes: ReplicationMessage.Changes, relayed: [UInt8]?, from sender: PeerAddress?, at now: EngineInstant,
        into batch: inout MergeLedger.Batch
    ) {
        stats.receivedMessages += 1
        guard changes.stream.origin != own.id.origin,
            follow(changes.stream, sequence: changes.sequence, isEpidemic: relayed != nil, at: now)
        else { return stats.duplicateMessages += 1 }
        stats.receivedRows += changes.rows.count
        // Not to whom it came from, nor to whom it is from.
        batch.append(
            changes,
            relay: relayed.map { ($0, [sender, table[changes.stream.origin]?.address].compactMap { $0 }) })
    }

    /// Notes an arrival in its stream; `false` for a duplicate. `isEpidemic`: its sender did not reach everyone.
    private mutating func follow(_ id: StreamID, sequence: UInt64, isEpidemic: Bool, at now: EngineInstant) -> Bool {
        // Only members' streams are followed: anybody else's would push them out. Merging again does no harm.
        guard table.has(id.origin) else { return true }
        // A message of an earlier start of the origin is rare and late.
        if streams.isOfEarlierStart(id) { return true }
        openStream(id, head: sequence - 1)
        let arrival = streams.update(id.origin) { $0.insert(sequence) }
        if arrival?.hasMoved == true { streams.noteMoved(id.origin, isEpidemic: isEpidemic, at: now) }
        noteGap(id.origin, at: now)
        return arrival?.isNew ?? true
    }

    /// Makes sure that the stream is followed. Before the first sync has begun it is from `head` on, until the donor tells how
    /// far its answer goes; after a node opened without one, from its beginning.
    mutating func openStream(_ id: StreamID, head: UInt64) {
        streams.open(id, head: head, isSyncing: !isReady)
    }

    private mutating func send(_ message: [UInt8], skipping: [PeerAddress]) -> [Effect] {
        // Nobody is there to hear it; whoever comes begins with a walk.
        guard !table.isEmpty else { return [] }
        if message.count <= configuration.maxMessageBytes {
            stats.sentMessages += 1
            return [.broadcast(message, BroadcastOptions(skipping: skipping))]
        }
        var targets = peers.map(\.address).filter { !skipping.contains($0) }
        let reachesEveryone = targets.count <= Self.maxDirectPushes
        if !reachesEveryone {
            targets.shuffle(using: &generator)
            targets = Array(targets.prefix(Self.fanOut(targets.count)))
        }
        guard !targets.isEmpty else { return [] }
        stats.pushedMessages += 1
        return [push(message, reachesEveryone: reachesEveryone, to: targets)]
    }

    func push(_ message: [UInt8], reachesEveryone: Bool, to targets: [PeerAddress]) -> Effect {
        let push = WalkMessage.Push(reachedEveryone: reachesEveryone, sender: own.id.origin, changes: message)
        return .push(WalkMessage.push(push).encoded(), to: targets)
    }

    /// max(4, ceil(ln n) + 2): so many random targets reach nearly all of n peers when each passes news on.
    private static func fanOut(_ count: Int) -> Int {
        var logarithm = 0
        var power = 1.0
        while power < Double(count) {
            power *= 2.718281828
            logarithm += 1
        }
        return max(4, logarithm + 2)
    }
}
