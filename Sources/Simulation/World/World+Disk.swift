internal import Cluster
internal import Replication
internal import Transport

/// Databases: what waits is committed together, one commit after the other, and nobody is told before it is durable.
extension World {
    /// A client writes. `false` when the node does not take writes now.
    @discardableResult
    package func write(_ kind: WriteKind, key: String, on index: Int) -> Bool {
        guard isServing(index), nodes[index].disk.queue.count < 1_024 else {
            ledger.refused()
            return false
        }
        checkFirstService(of: nodes[index])
        commit(.write(ClientWrite(key: ByteString(key), kind: kind, askedAt: now)), on: index)
        return true
    }

    func commit(_ work: SimulatedDisk.Work, on index: Int) {
        nodes[index].disk.queue.append(work)
        beginCommit(index)
    }

    private func beginCommit(_ index: Int) {
        let node = nodes[index]
        guard node.process != nil, node.disk.batch == nil, !node.disk.queue.isEmpty else { return }
        node.disk.batch = node.disk.queue
        node.disk.queue = []
        let slowest: Duration = now < node.disk.slowUntil ? options.faults.slowCommit : .milliseconds(1)
        schedule(.commit(index, epoch: node.epoch), in: generator.duration(in: .microseconds(100)...slowest))
    }

    func finishCommit(_ index: Int) {
        let node = nodes[index]
        // The system goes on with what a stopped process has asked for; the process sees it when it goes on.
        guard let batch = node.disk.batch else { return }
        if node.process?.isPaused == true {
            return schedule(.commit(index, epoch: node.epoch), in: .milliseconds(10))
        }
        node.disk.batch = nil
        stats.commits += 1
        if node.disk.isFull {
            fail(batch, on: index)
        } else {
            let outcomes = apply(batch, on: node, isAcknowledged: true)
            tell(batch, outcomes, on: index)
        }
        settle(index)
        beginCommit(index)
    }

    enum WorkOutcome {
        case committed(EncodedRow)
        case refused
        case merged(MergeOutcome)
    }

    /// Changes the database. What comes of each work, in order.
    func apply(_ batch: [SimulatedDisk.Work], on node: SimulatedNode, isAcknowledged: Bool) -> [WorkOutcome] {
        let wall = reading(node)
        let outcomes = batch.map { work -> WorkOutcome in
            switch work {
            case .write(let write):
                let before = node.replica.rows[write.key]?.row
                guard let encoded = apply(write, on: node, wall) else { return .refused }
                let row = encoded.row
                check(row, after: before, on: node, wall)
                check(wall, of: node)
                let span = Ledger.Span(
                    askedAt: write.askedAt, answeredAt: now, isTimely: isTimely(row, after: before, on: node))
                ledger.committed(row, span, isAcknowledged: isAcknowledged)
                spread?.committed(row.key, at: now)
                return .committed(encoded)
            case .merge(_, let rows), .walkMerge(_, _, let rows):
                let outcome = node.replica.merge(rows, at: wall)
                for (row, isNews) in zip(rows, outcome.isNews) where isNews { spread?.merged(row.row.key, at: now) }
                return .merged(outcome)
            }
        }
        node.replica.commit()
        return outcomes
    }

    private func apply(_ write: ClientWrite, on node: SimulatedNode, _ wall: WallReading) -> EncodedRow? {
        switch write.kind {
        case .create(let text): node.replica.create(write.key, text: ByteString(text), at: wall)
        case .update(let text, let completed):
            node.replica.update(
                write.key, text: text.map { ByteString($0) }, completed: completed, at: wall)
        case .delete: node.replica.delete(write.key, at: wall)
        }
    }

    private func tell(_ batch: [SimulatedDisk.Work], _ outcomes: [WorkOutcome], on index: Int) {
        var committed: [EncodedRow] = []
        for (work, outcome) in zip(batch, outcomes) {
            switch (work, outcome) {
            case (.write, .committed(let row)): committed.append(row)
            case (.write, _): ledger.refused()
            case (.merge(let token, _), .merged(let merge)): feed(.merged(token, merge), to: index)
            case (.walkMerge(let id, let epoch, _), .merged(let merge)):
                if epoch == nodes[index].epoch { feed(.exchange(id, .answered(.merge(merge))), to: index) }
            case (.merge, _), (.walkMerge, _): break
            }
        }
        takeChanges(index)
        if !committed.isEmpty { feed(.committed(committed), to: index) }
    }

    private func fail(_ batch: [SimulatedDisk.Work], on index: Int) {
        for work in batch {
            switch work {
            case .write: ledger.refused()
            case .merge(let token, _): feed(.mergeFailed(token), to: index)
            case .walkMerge(let id, let epoch, _):
                if epoch == nodes[index].epoch { feed(.exchange(id, .storeFailed), to: index) }
            }
        }
        takeChanges(index)
    }
}

/// What a client asks for.
package enum WriteKind: Sendable {
    case create(text: String)
    case update(text: String?, completed: Bool?)
    case delete
}
