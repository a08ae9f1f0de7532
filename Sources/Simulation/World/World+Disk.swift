internal import Cluster
internal import Replication
internal import Store
internal import Transport

/// Databases: what waits is committed together, one commit after the other. Then the clients and walks that waited are
/// answered, and the peers are told, by others than those who committed: a process may die between any two.
extension World {
    /// A client writes. `false` when the node does not take writes now.
    @discardableResult
    package func write(_ kind: WriteKind, key: String, on index: Int) -> Bool {
        guard isServing(index) else {
            ledger.refused()
            return false
        }
        checkFirstService(of: nodes[index])
        let isConditional = options.store == .sqlite && diskChance(0.2)
        return commit(
            .write(ClientWrite(key: ByteString(key), kind: kind, isConditional: isConditional, askedAt: now)), on: index
        )
    }

    /// `false` when the database lets nothing more in.
    @discardableResult
    func commit(_ work: DatabaseWork, on index: Int) -> Bool {
        if let refusal = nodes[index].replica.submit(work) {
            answer(refusal, on: index)
            return false
        }
        beginCommit(index)
        return true
    }

    private func beginCommit(_ index: Int) {
        let node = nodes[index]
        guard node.process != nil, !node.disk.isCommitting, node.replica.isBusy else { return }
        node.disk.isCommitting = true
        // The writer is quick, or it comes late and finds more.
        let delay: Duration = diskChance(0.9) ? .zero : diskGenerator.duration(in: .zero...(.milliseconds(2)))
        schedule(.begin(index, epoch: node.epoch), in: delay)
    }

    /// The writer takes what waits: all of it, or what had come when it looked.
    func beginTransaction(_ index: Int) {
        let node = nodes[index]
        if node.process?.isPaused == true {
            return schedule(.begin(index, epoch: node.epoch), in: .milliseconds(10))
        }
        var size = TransactionSize(localRequests: .max, mergeRows: .max)
        if diskChance(0.2) { size = TransactionSize(localRequests: diskPick(1..<8), mergeRows: diskPick(1..<200)) }
        guard node.replica.beginTransaction(size) else { return node.disk.isCommitting = false }
        let slowest: Duration = now < node.disk.slowUntil ? options.faults.slowCommit : .milliseconds(1)
        schedule(.commit(index, epoch: node.epoch), in: generator.duration(in: .microseconds(100)...slowest))
    }

    func finishCommit(_ index: Int) {
        let node = nodes[index]
        // The system goes on with what a stopped process has asked for; the process sees it when it goes on.
        if node.process?.isPaused == true {
            return schedule(.commit(index, epoch: node.epoch), in: .milliseconds(10))
        }
        node.disk.isCommitting = false
        stats.commits += 1
        let results = node.replica.commitTransaction(at: reading(node))
        for result in results { noteCommit(result, on: node) }
        node.process?.unanswered.append(results)
        schedule(.answer(index, epoch: node.epoch), in: step())
        schedule(.tell(index, epoch: node.epoch), in: step())
        dieIfDue(index, after: .commit)
        beginCommit(index)
    }

    /// How long others take to go on with what a commit has finished.
    private func step() -> Duration {
        diskGenerator.duration(in: .zero...(diskChance(0.95) ? .microseconds(100) : .milliseconds(10)))
    }

    /// What is durable now, though nobody has been told.
    private func noteCommit(_ result: DatabaseResult, on node: SimulatedNode) {
        switch (result.work, result.outcome) {
        case (_, .written(let encoded, let before)):
            let wall = reading(node)
            check(encoded.row, after: before, on: node, wall)
            check(wall, of: node)
            spread?.committed(encoded.key, at: now)
        case (.merge(_, let rows), .merged(let outcome)), (.walkMerge(_, let rows), .merged(let outcome)):
            for (row, isNews) in zip(rows, outcome.isNews) where isNews { spread?.merged(row.row.key, at: now) }
        case (_, .failed(let error)): noteFailure(error, of: node.index)
        default: break
        }
    }

    // MARK: After a commit

    /// The clients and walks that the oldest commit was made for hear of it.
    func answerOldest(_ index: Int) {
        guard let process = nodes[index].process, !process.unanswered.isEmpty else { return }
        if process.isPaused { return schedule(.answer(index, epoch: nodes[index].epoch), in: .milliseconds(10)) }
        for result in process.unanswered.removeFirst() { answer(result, on: index) }
        takeChanges(index)
        settle(index)
        dieIfDue(index, after: .answer)
    }

    /// The peers hear of what was committed here.
    func tell(_ index: Int) {
        if nodes[index].isPausedNow { return schedule(.tell(index, epoch: nodes[index].epoch), in: .milliseconds(10)) }
        let rows = nodes[index].replica.committed.takeNow(limit: 4_096)
        guard !rows.isEmpty else { return }
        feed(.committed(rows), to: index)
        settle(index)
        dieIfDue(index, after: .tell)
    }

    private func answer(_ result: DatabaseResult, on index: Int) {
        note(result, isAcknowledged: true, on: nodes[index])
        switch (result.work, result.outcome) {
        case (.write, .written(let encoded, _)):
            checkWritten(encoded, on: nodes[index])
            expectSoon([encoded], from: index)
        case (.write, _): ledger.refused()
        case (.merge(let token, _), .merged(let merge)): feed(.merged(token, merge), to: index)
        case (.merge(let token, _), _): feed(.mergeFailed(token), to: index)
        case (.walkMerge(let id, _), .merged(let merge)):
            feed(.exchange(id, .answered(.merge(merge))), to: index)
        case (.walkMerge(let id, _), _): feed(.exchange(id, .storeFailed), to: index)
        case (.save, _): break
        }
    }

    /// For the ledger: what a client was told, and what may be there though nobody was.
    func note(_ result: DatabaseResult, isAcknowledged: Bool, on node: SimulatedNode) {
        guard case .write(let write) = result.work else { return }
        func note(_ row: Row, _ isTimely: Bool, _ isAcknowledged: Bool) {
            let span = Ledger.Span(askedAt: write.askedAt, answeredAt: now, isTimely: isTimely)
            ledger.committed(row, span, isAcknowledged: isAcknowledged)
        }
        for attempt in result.attempts { note(attempt, false, false) }
        if case .written(let encoded, let before) = result.outcome {
            note(encoded.row, isTimely(encoded.row, after: before, on: node), isAcknowledged)
        }
    }

    // MARK: Damage

    /// What only this disk has may be gone, or another.
    func flipBit(of index: Int) {
        let node = nodes[index]
        guard !node.isCopy else { return }
        exempt(node.replica, of: index)
        if node.replica.flipBit() { noteDamage(of: node) }
    }

    /// As `flipBit`, in a todo's text, which SQLite knows nothing of.
    func flipText(of index: Int) {
        let node = nodes[index]
        let rows = node.replica.sortedRows.filter { !$0.row.isDeleted }
        guard !node.isCopy, !rows.isEmpty else { return }
        exempt(node.replica, of: index)
        if node.replica.flipBit(ofText: rows[diskPick(0..<rows.count)].key) { noteDamage(of: node) }
    }

    private func noteDamage(of node: SimulatedNode) {
        node.disk.isDamaged = true
        ledger.allowsDamage = true
    }

    /// What only this database holds may be lost.
    func exempt(_ lost: any Replica, of index: Int, replacement: (any Replica)? = nil) {
        nodes[index].discardedAt = now
        let others = nodes.filter { $0.index != index && !$0.isLost }.map { $0.replica as any Replica }
        ledger.exempt(lost, survivors: others + [replacement].compactMap { $0 })
        (lastTimes[index], lastStarts[index]) = (nil, nil)
    }

    /// A damaged database is noticed by its operator, who gives the node an empty one.
    func noteFailure(_ error: StoreError, of index: Int) {
        let node = nodes[index]
        let words = "\(node.name): \(node.replica.words(for: error))"
        say(words)
        switch error {
        case .corrupt, .notADatabase, .foreign, .newerVersion, .invalidRow, .failed, .cannotOpen, .rowChanged:
            if !node.disk.isDamaged, !node.isCopy { violate(.store, words) }
            replaceSoon(index)
        case .inUse, .busy, .stampsUsedUp, .tooLarge, .refused, .closed:
            violate(.store, words)
        case .diskFull: if !node.disk.isFull { violate(.store, words) }
        case .ioError:
            // In the middle of its death.
            if node.process != nil, !node.disk.isFailing { violate(.store, words) }
        case .overloaded: break
        }
    }

    /// After the healing: SQLite, too, finds nothing wrong with files that nothing happened to.
    func checkFiles() {
        for node in present where !node.disk.isDamaged {
            if let fault = node.replica.integrityFault() { violate(.store, "\(node.name): \(fault)") }
        }
    }

    private func replaceSoon(_ index: Int) {
        let node = nodes[index]
        guard !node.disk.isSpoilt else { return }
        node.disk.isSpoilt = true
        let time = isMended ? .milliseconds(100) : diskGenerator.duration(in: options.faults.downTime)
        perform(in: time) { world in
            guard node.disk.isSpoilt else { return }
            world.discardDatabase(of: index, for: nil)
            world.start(index)
        }
    }

    // MARK: Chance

    /// Of its own, so that databases do not change what else happens.
    func diskChance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &diskGenerator) < probability
    }

    func diskPick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &diskGenerator) }

    /// An empty database.
    func makeDatabase(_ nodeID: NodeID) -> any NodeDatabase {
        switch options.store {
        case .memory: return MemoryDatabase(MemoryReplica(nodeID: nodeID))
        case .sqlite:
            let disk = VirtualDisk(seed: diskGenerator.next())
            disk.faults.ignoresSync = options.without.contains(.sync)
            return SQLiteDatabase(
                nodeID: nodeID, on: disk, checkpointPages: diskPick(8..<200),
                forgetsChecksums: options.without.contains(.checksums))
        }
    }
}
