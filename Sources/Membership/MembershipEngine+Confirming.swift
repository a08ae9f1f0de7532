internal import Transport

/// The lane for members known by hearsay. It is bounded in members and in rate, apart from ordinary probing, and what
/// it finds out touches neither local health nor any formula: a flood of invented names costs this node
/// `confirmationsPerInterval` pings per `confirmationInterval` and `maxUnconfirmedMembers` records, and no more. In large
/// clusters what members speak of has a greater share: one ping for every eight members.
extension MembershipEngine {
    /// Lists a member that was not known. Returns `nil` when there is no room.
    mutating func admit(
        _ alive: AliveBody, _ versions: ProtocolVersions, isVouched: Bool, isNews: Bool = true
    ) -> Int? {
        guard makeRoom(isVouched: isVouched) else {
            stats.refusedMembers += 1
            return nil
        }
        var record = MemberRecord(alive, versions: versions, at: clock.time)
        record.isNews = isNews
        let slot = table.insert(record, in: isVouched ? .vouched : .plain, using: &generator)
        emit(.memberHeard(table[slot].member))
        return slot
    }

    /// Pings waiting members as far as the rate allows, and comes back for the rest.
    mutating func confirmWaiting() {
        guard !isLeaving, table.hasWaiting else { return }
        lane.enter(clock.time, clusterSize: clusterSize)
        while lane.hasPings, let slot = table.waiting(using: &generator) {
            guard lane.takePing(isPlain: table[slot].list == .plain) else { break }
            startConfirming(slot)
        }
        if table.hasWaiting, let instant = lane.takeTimer() { clock.add(.confirmation, at: instant) }
    }

    private mutating func startConfirming(_ slot: Int) {
        table.move(slot, to: .checking, using: &generator)
        let record = table[slot]
        let deadline = clock.time + configuration.probeTimeout
        let sequence = prober.begin(Probe(of: record, stage: .confirming, at: clock.time, deadline: deadline))
        clock.add(.probeStage(sequence), at: deadline)
        stats.confirmingPings += 1
        perform(.send(.ping(ping(record.name, sequence)), to: record.address))
    }

    mutating func confirmationFailed(_ name: String) {
        guard let slot = table.slot(named: name), table[slot].list == .checking else { return }
        table.update(slot) { $0.unansweredPings += 1 }
        if table[slot].unansweredPings >= configuration.confirmationAttempts {
            forget(slot)
        } else {
            // Behind the vouched ones, whoever vouched: it had its turn.
            table.move(slot, to: .plain, using: &generator)
            confirmWaiting()
        }
    }

    /// The member has shown that it exists: it becomes one of those that are probed, and the others hear of it. Only
    /// now, so that invented members do not spread.
    mutating func confirm(_ slot: Int) {
        guard !table[slot].isConfirmed else { return }
        let now = clock.time
        table.update(slot) { record in
            record.isConfirmed = true
            record.lastSeen = now
            record.statusChangedAt = now
            record.cameAt = now
        }
        table.move(slot, to: .live, using: &generator)
        joiner.memberSettled(table[slot].name, nodeID: table[slot].nodeID, address: table[slot].address)
        replaceOthers(by: slot)
        emit(.memberJoined(table[slot].member))
        if table[slot].isNews { perform(.broadcast(.alive(table[slot].alive), about: table[slot].name)) }
        takeStartDecision()
    }

    /// Who was at this address is not there any more, since this one has answered: the node was renamed, or another has its
    /// place. A node that failed under another name was renamed, and has moved. One that lives there may have been copied:
    /// that shows when it answers again.
    private mutating func replaceOthers(by slot: Int) {
        let new = table[slot]
        let others = (table[.live] + table[.retired]).filter { other in
            guard other != slot, table[other].status != .left else { return false }
            return table[other].address == new.address || isOneNode(table[other], new)
        }
        for other in others.sorted(by: { table[$0].name < table[$1].name }) {
            if table[other].address == new.address || !table[other].status.isLiving {
                forget(other)
            } else {
                let now = clock.time
                table.update(other) { $0.replacedAt = now }
            }
        }
    }

    private func isOneNode(_ one: MemberRecord, _ other: MemberRecord) -> Bool {
        one.nodeID != nil && one.nodeID == other.nodeID
    }

    /// Whether a member that has failed is there under another name.
    func isThereUnderAnotherName(_ slot: Int) -> Bool {
        table[.live].contains { table[$0].address == table[slot].address || isOneNode(table[$0], table[slot]) }
    }

    /// Takes a member off the list.
    mutating func forget(_ slot: Int) {
        let record = table.remove(slot)
        suspicions.end(record.name)
        if record.isConfirmed { joiner.memberSettled(record.name) }
        emit(.memberForgotten(record.member))
    }

    /// Makes room for one more: unconfirmed members go first, then the one that failed or left longest ago.
    private mutating func makeRoom(isVouched: Bool) -> Bool {
        if table.unconfirmedCount >= configuration.maxUnconfirmedMembers {
            guard evictUnconfirmed(isVouched: isVouched) else { return false }
        }
        while table.count + 1 >= configuration.maxMembers {
            if table.unconfirmedCount > 0 {
                guard evictUnconfirmed(isVouched: isVouched) else { return false }
            } else if let oldest = table[.retired].min(by: {
                (table[$0].statusChangedAt, table[$0].name) < (table[$1].statusChangedAt, table[$1].name)
            }) {
                forget(oldest)
            } else {
                return false
            }
        }
        return true
    }

    /// A random one, so that nobody can foresee who goes. Hearsay from anyone does not push out what is vouched for, and
    /// pings under way are awaited.
    private mutating func evictUnconfirmed(isVouched: Bool) -> Bool {
        var victim = table[.plain].randomElement(using: &generator)
        if victim == nil && isVouched { victim = table[.vouched].randomElement(using: &generator) }
        guard let victim else { return false }
        forget(victim)
        return true
    }

    /// Forgets those that failed or left long enough ago. A replica that failed may hold what nobody else has, and be found
    /// by nobody else: only its own farewell, or a member that takes its name, makes it forgotten.
    mutating func sweep() {
        clock.add(.sweep, in: Self.sweepInterval)
        let expired = table[.retired].filter { slot in
            let record = table[slot]
            guard record.status == .left || !record.isReplica else { return false }
            let retention = record.status == .left ? configuration.leftRetention : configuration.failedRetention
            return clock.time - record.statusChangedAt >= retention
        }
        for slot in expired.sorted(by: { table[$0].name < table[$1].name }) { forget(slot) }
    }
}
