package import Transport

/// A message whose rows are being merged.
struct MergingMessage: Sendable {
    var stream: StreamID
    /// Where its rows stand in the merge.
    var rows: Range<Int>
    /// What to send on, and whom to leave out, should a row of it be news.
    var relay: (message: [UInt8], skipping: [PeerAddress])?
}

/// The stream of one origin as it arrives.
struct FollowedStream: Hashable, Sendable {
    var start: UInt64
    var window: StreamWindow
    /// How far others say that it has come; see `note(_:at:)`.
    var heardEnd: UInt64 = 0
    /// Since when there has been a hole.
    var gapSince: EngineInstant?
    /// Pulls since the last that helped, and when the next may go out.
    var pulls = 0
    /// Something was asked for since the hole showed, and no walk has ended since.
    var hasPulled = false
    var nextPull = EngineInstant.zero

    /// Something that exists has not arrived, as far as the stream itself or others say.
    var hasGap: Bool { window.hasGap || heardEnd > window.end }
}

extension ReplicationEngine {
    /// Peers up to which a push goes to all of them at once; beyond it to some, who pass it on.
    private static let maxDirectPushes = 30

    /// Rows were committed here by a client: tell everyone.
    package mutating func committed(_ rows: [EncodedRow], at now: EngineInstant) -> [Effect] {
        guard !rows.isEmpty else { return [] }
        var effects: [Effect] = []
        var message: [UInt8] = []
        func flush(_ engine: inout Self) {
            guard !message.isEmpty else { return }
            engine.recent.append(message)
            effects += engine.send(message, skipping: [])
            message = []
        }
        for row in rows {
            if !message.isEmpty && message.count + row.bytes.count > configuration.maxMessageBytes { flush(&self) }
            if message.isEmpty {
                sequence += 1
                message = ReplicationMessage.changesHeader(stream: stream, sequence: sequence)
            }
            message += row.bytes
        }
        flush(&self)
        stats.sentRows += rows.count
        // The last message of a burst is followed by its head soon, in case it is lost.
        nextHeartbeat = min(nextHeartbeat, now + configuration.tailHeartbeatDelay)
        return effects
    }

    /// Messages from the transport. All their rows go into one merge.
    package mutating func receive(
        _ arrivals: [Arrival], summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        var effects: [Effect] = []
        var rows: [EncodedRow] = []
        var messages: [MergingMessage] = []
        for arrival in arrivals where !isDuplicate(arrival.message) {
            do throws(ReplicationMessage.Failure) {
                switch try ReplicationMessage.decode(arrival.message[...]) {
                case .heartbeat(let heartbeat): effects += receive(heartbeat, summary, at: now)
                case .pull(let pull): effects += receive(pull, from: arrival.sender, at: now)
                case .changes(let changes):
                    let needsRelay = arrival.delivery == .broadcast(reachedEveryone: false)
                    collect(
                        changes, bytes: needsRelay ? arrival.message : nil, from: arrival.sender, at: now,
                        rows: &rows, messages: &messages)
                }
            } catch { stats.malformedMessages += 1 }
        }
        if let merge = beginMerge(rows, messages) { effects.append(merge) }
        return effects
    }

    /// Whether a message is a change that is here already, told by its head alone: in a large cluster most are. Counts it.
    private mutating func isDuplicate(_ message: [UInt8]) -> Bool {
        guard let (id, sequence) = ReplicationMessage.number(of: message[...]) else { return false }
        let isKnown =
            id.origin == stream.origin
            || (peer(id.origin) != nil
                && windows[id.origin].map { $0.start == id.start && $0.window.has(sequence) } ?? false)
        guard isKnown else { return false }
        stats.receivedMessages += 1
        stats.duplicateMessages += 1
        return true
    }

    /// Changes that came by exchange, since they are too large to be broadcast.
    package mutating func receive(_ push: WalkMessage.Push, at now: EngineInstant) -> [Effect] {
        var rows: [EncodedRow] = []
        var messages: [MergingMessage] = []
        do throws(ReplicationMessage.Failure) {
            guard case .changes(let changes) = try ReplicationMessage.decode(push.changes[...]) else {
                throw .malformed
            }
            collect(
                changes, bytes: push.reachedEveryone ? nil : push.changes, from: peer(push.sender)?.address, at: now,
                rows: &rows, messages: &messages)
        } catch { stats.malformedMessages += 1 }
        return beginMerge(rows, messages).map { [$0] } ?? []
    }

    /// The store has merged what `.merge` asked for.
    package mutating func merged(_ token: MergeToken, _ outcome: MergeOutcome, at now: EngineInstant) -> [Effect] {
        guard let messages = merges.removeValue(forKey: token) else { return [] }
        var effects: [Effect] = []
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
        for message in merges.removeValue(forKey: token) ?? [] {
            windows[message.stream.origin]?.window.noteLost()
            noteGap(message.stream.origin, at: now)
        }
        return []
    }

    private mutating func beginMerge(_ rows: [EncodedRow], _ messages: [MergingMessage]) -> Effect? {
        guard !rows.isEmpty else { return nil }
        mergeCount += 1
        let token = MergeToken(number: mergeCount)
        merges[token] = messages
        return .merge(token, rows)
    }

    private mutating func collect(
        _ changes: ReplicationMessage.Changes, bytes: [UInt8]?, from sender: PeerAddress?, at now: EngineInstant,
        rows: inout [EncodedRow], messages: inout [MergingMessage]
    ) {
        stats.receivedMessages += 1
        guard changes.stream.origin != stream.origin else { return stats.duplicateMessages += 1 }
        guard follow(changes.stream, sequence: changes.sequence, isEpidemic: bytes != nil, at: now) else {
            return stats.duplicateMessages += 1
        }
        var message = MergingMessage(
            stream: changes.stream, rows: rows.count..<(rows.count + changes.rows.count), relay: nil)
        if let bytes {
            message.relay = (bytes, [sender, peer(changes.stream.origin)?.address].compactMap { $0 })
        }
        stats.receivedRows += changes.rows.count
        rows += changes.rows
        messages.append(message)
    }

    /// Notes an arrival in its stream's window; `false` for a duplicate. `isEpidemic`: its sender did not reach everyone.
    private mutating func follow(_ id: StreamID, sequence: UInt64, isEpidemic: Bool, at now: EngineInstant) -> Bool {
        // Only members' streams are followed: anybody else's would push them out. Merging again does no harm.
        guard peer(id.origin) != nil else { return true }
        // A message of an earlier start of the origin is rare and late.
        if let known = windows[id.origin], known.start > id.start { return true }
        openWindow(id, head: sequence - 1)
        let head = windows[id.origin]?.window.head
        let isNew = windows[id.origin]?.window.insert(sequence) ?? true
        if windows[id.origin]?.window.head != head {
            windows[id.origin]?.pulls = 0
            if isEpidemic { moved[id.origin] = now }
        }
        noteGap(id.origin, at: now)
        return isNew
    }

    /// Makes sure that the stream is followed. One not seen before is followed from `head` on while the first sync is
    /// still to begin, which brings what came earlier; else from its beginning, so that what was sent before its
    /// broadcasts came in here is a hole.
    mutating func openWindow(_ id: StreamID, head: UInt64) {
        var head = isReady || hasWalkBegun ? 0 : head
        if let known = windows[id.origin] {
            guard id.start > known.start else { return }
            head = 0
        } else {
            windowOrder.append(id.origin)
            if windowOrder.count > configuration.maxStreams { windows[windowOrder.removeFirst()] = nil }
        }
        windows[id.origin] = FollowedStream(start: id.start, window: StreamWindow(head: head))
    }

    /// Starts or stops the time after which a hole in this origin's stream leads to a walk.
    mutating func noteGap(_ origin: NodeID, at now: EngineInstant) {
        guard var followed = windows[origin] else { return }
        if !followed.hasGap {
            guard followed.gapSince != nil else { return }
            followed.gapSince = nil
            if followed.hasPulled { stats.pulledGaps += 1 }
        } else {
            // Armed again whenever nothing is under way: the time may have run out while no walk could begin.
            let isArmed = due[origin] != nil || walking[origin] != nil || peer(origin) == nil
            if followed.gapSince == nil {
                stats.gaps += 1
                followed.gapSince = now
                followed.hasPulled = false
                followed.pulls = 0
                followed.nextPull = now + generator.duration(in: configuration.pullDelay)
                if !isArmed { schedule(origin, at: followed.nextPull) }
            } else if !isArmed {
                schedule(origin, at: max(followed.nextPull, now + configuration.gapGrace))
            }
        }
        windows[origin] = followed
    }

    private mutating func send(_ message: [UInt8], skipping: [PeerAddress]) -> [Effect] {
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
        let push = WalkMessage.Push(reachedEveryone: reachesEveryone, sender: stream.origin, changes: message)
        return [.push(WalkMessage.push(push).encoded(), to: targets)]
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
