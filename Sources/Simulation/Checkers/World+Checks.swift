internal import Cluster
internal import Membership
internal import Replication
internal import Reports
internal import Transport

/// Checkers of data, clocks and bounds. They know what was promised, and nothing of how it is kept.
extension World {
    /// Violations of one run that are kept; the first ones tell the story.
    private static let maxViolations = 20

    func violate(_ checker: Violation.Checker, _ detail: String) {
        stats.violations += 1
        say("VIOLATION \(checker.rawValue): \(detail)")
        // The first of each kind in any case.
        guard violations.count < Self.maxViolations || !violations.contains(where: { $0.checker == checker }) else {
            return
        }
        violations.append(Violation(checker: checker, detail: detail, at: now - .zero))
    }

    // MARK: Clocks

    /// Each start has a greater number.
    func check(start: UInt64, of node: SimulatedNode) {
        if let last = lastStarts[node.index], start <= last {
            violate(.clock, "\(node.name) numbered its start \(start) after \(last)")
        }
        lastStarts[node.index] = start
    }

    /// A write is later than what its writer saw there, and than all that it wrote before, but for what a clock that was
    /// led ahead had made.
    func check(_ row: Row, after before: Row?, on node: SimulatedNode, _ wall: WallReading) {
        let stamp = row.latestStamp
        if let before, row != before, stamp.time <= before.latestStamp.time {
            violate(.clock, "\(node.name) wrote \(row.key) at \(stamp.time) over \(before.latestStamp.time)")
        }
        guard stamp.origin == node.nodeID else { return }
        // Its clock goes back, whatever row is written.
        if wall.isConfirmed, let last = lastTimes[node.index], wall.isAhead(last.time) { lastTimes[node.index] = nil }
        guard !(before.map { wall.isAhead($0.latestStamp.time) } ?? false) else { return }
        if let last = lastTimes[node.index], last.origin == stamp.origin, stamp.time <= last.time {
            violate(.clock, "\(node.name) went from \(last.time) to \(stamp.time)")
        }
        lastTimes[node.index] = stamp
    }

    /// How far from the true time a node may stamp that hears more than half of all clocks, which are right.
    private static let longestError = WallReading.allowedSkewMilliseconds + 1_500
    private static let hearing: Duration = .seconds(8)

    /// What a stamp may be ahead of its node's wall besides.
    private static let longestLead: Int64 = 6_000

    /// Whether a write orders what it writes: it is stamped with about the true time, or had to be. What was written over a
    /// row that is ahead could not.
    func isTimely(_ row: Row, after before: Row?, on node: SimulatedNode) -> Bool {
        if let before, error(of: before) > Self.longestError + Self.longestLead { return false }
        return abs(error(of: row)) <= Self.longestError + Self.longestLead || hearsMost(node)
    }

    /// Whoever hears most of the clocks, and those are right, has the right time, whatever its own clock shows.
    func check(_ wall: WallReading, of node: SimulatedNode) {
        let error = wall.milliseconds - trueMilliseconds
        guard abs(error) > Self.longestError, hearsMost(node) else { return }
        violate(.clock, "\(node.name) stamps \(error) ms off, though most clocks are right")
    }

    private var trueMilliseconds: Int64 { NodeClock().milliseconds(at: now) }

    private func error(of row: Row) -> Int64 { row.latestStamp.time.milliseconds - trueMilliseconds }

    private func hearsMost(_ node: SimulatedNode) -> Bool {
        let since = now + (.zero - Self.hearing)
        guard now - .zero > Self.hearing, node.hasBeenWell(since: since), !node.isCopy else { return false }
        let right = nodes.count { other in
            guard !astray.contains(other.index) else { return false }
            return other.index == node.index
                || (other.hasBeenWell(since: since) && !other.isCopy
                    && network.hasConnected(node.index, other.index, since: since)
                    && node.process?.core.replication.isHeard(other.nodeID) == true)
        }
        return right * 2 > nodes.count
    }

    // MARK: Data

    /// Equal roots on all nodes.
    package var areEqual: Bool {
        present.allSatisfy { $0.replica.summary == present[0].replica.summary }
    }

    package var areReady: Bool { present.allSatisfy { $0.process?.core.replication.isReady == true } }

    var areSynced: Bool { present.allSatisfy { $0.process?.core.replication.isSynced == true } }

    /// After the healing: nothing lost, nothing invented, all equal, field by field.
    func checkData() {
        for disorder in ledger.disorders { violate(.disorder, disorder) }
        for node in present {
            for fault in ledger.faults(of: node.replica) { violate(fault.checker, "\(node.name): \(fault.detail)") }
            let isEqual = node.replica.rows == present[0].replica.rows
            let hasEqualRoot = node.replica.summary == present[0].replica.summary
            if !isEqual { violate(.notEqual, "\(node.name) and \(present[0].name)") }
            if isEqual != hasEqualRoot { violate(.fingerprint, "\(node.name) and \(present[0].name)") }
        }
    }

    /// How soon a write is everywhere, though packets are lost: every one while few are, every one while up to one in
    /// twenty is, so that heartbeats are too; half of them sooner, and in small clusters nine of ten.
    private static let longestSpread: Duration = .seconds(2)
    private static let longestSpreadUnderLoss: Duration = .seconds(4)
    private static let usualSpread: Duration = .milliseconds(400)
    private static let usualNodes = 16
    private static let usualWrites = 150
    private static let medianSpread: Duration = .milliseconds(50)
    private static let lowLoss = 0.01
    private static let highestLoss = 0.05

    func checkSpread() {
        let faults = options.faults
        // Damaged is lost, and what comes late enough is as good as lost for a while.
        let loss = max(faults.loss, max(faults.corruption, faults.tailRate))
        guard let times = spread?.allTimes, let slowest = times.last, loss <= Self.highestLoss else { return }
        let limit = loss <= Self.lowLoss ? Self.longestSpread : Self.longestSpreadUnderLoss
        if slowest > limit { violate(.lateWrite, "the slowest write took \(slowest.inSeconds.short) s") }
        let median = times[times.count / 2]
        if median > (loss <= Self.lowLoss ? Self.medianSpread : Self.usualSpread) {
            violate(.lateWrite, "half of them took \(median.inSeconds.short) s or more")
        }
        // Each node more is one more that may have missed it, and where little is written its loss shows late.
        guard nodes.count <= Self.usualNodes, times.count >= Self.usualWrites else { return }
        let usual = times[times.count * 9 / 10]
        if usual > Self.usualSpread { violate(.lateWrite, "one in ten took \(usual.inSeconds.short) s or more") }
    }

    // MARK: Farewells

    /// A node says that others have all that it has acknowledged: for each todo the other databases do, together.
    func checkHandOver(of node: SimulatedNode) {
        let others = present.filter { $0.index != node.index }
        guard !node.isCopy else { return }
        for row in node.replica.sortedRows {
            // What the others come to when they have exchanged what they have.
            let theirs = others.compactMap { $0.replica.rows[row.key]?.row }
            let joined = theirs.dropFirst().reduce(theirs.first) { $0?.merged(with: $1) }
            if ledger.isLacking(row.row, in: joined) {
                return violate(.leaving, "\(node.name) leaves, and nobody has its \(row.key)")
            }
        }
    }

    // MARK: Starts

    func openNodes(besides index: Int) -> [SimulatedNode] {
        nodes.filter { $0.index != index && !$0.isCopy && $0.process?.core.replication.isSynced == true }
    }

    /// What every open node has now, by the least stamp of each register: a node that starts now may not claim to be
    /// synced with less.
    func heldByAllOpen(besides index: Int) -> [ByteString: PromisedRow] {
        let open = openNodes(besides: index)
        guard let first = open.first else { return [:] }
        return first.replica.rows.compactMapValues { encoded in
            let row = encoded.row
            var least = PromisedRow(row)
            for node in open.dropFirst() {
                guard let other = node.replica.rows[row.key]?.row else { return nil }
                least.lower(to: PromisedRow(other))
            }
            return least
        }
    }

    /// A node has opened, and may be the donor of those that are still starting: they cannot have more than it has, which
    /// may be a moment behind the others.
    func lowerPromises(to opened: SimulatedNode) {
        for node in nodes {
            guard let process = node.process, process.openSince == nil, node.index != opened.index else { continue }
            process.promised = process.promised.reduce(into: [:]) { lowered, promise in
                guard let row = opened.replica.rows[promise.key]?.row else { return }
                var least = promise.value
                least.lower(to: PromisedRow(row))
                lowered[promise.key] = least
            }
        }
    }

    /// A client is served for the first time.
    func checkFirstService(of node: SimulatedNode) {
        guard let process = node.process, !process.hasServed else { return }
        node.process?.hasServed = true
        checkStart(of: node)
    }

    /// The node opens, or serves: it has what it must, unless it says itself that it may not.
    func checkStart(of node: SimulatedNode) {
        guard let process = node.process else { return }
        let holders = nodes.filter { process.holders.contains($0.nodeID) }
        // A copy is out of date, since it exchanges nothing with the other. Of those who had all that, one at least still
        // has its database, and none a damaged one; in a cut cluster nobody knows what others have; and who finds none of its seeds has to take
        // itself for the first.
        guard process.core.replication.isSynced || !process.core.replication.isReady,
            !nodes.contains(where: \.isCopy),
            holders.contains(where: { $0.discardedAt ?? .zero < process.startedAt }),
            !holders.contains(where: \.disk.isDamaged),
            network.hasBeenWhole(since: process.startedAt + (.zero - Self.toldTrouble)),
            process.promisers.contains(where: { nodes[$0].hasBeenWell(since: process.startedAt) })
        else { return }
        let lacking = process.promised.filter { key, stamp in
            !((node.replica.rows[key]?.row).map(stamp.isHeld) ?? false)
        }
        guard let key = lacking.keys.min() else { return }
        violate(.staleStart, "\(node.name) serves without \(lacking.count) todos, such as \(key)")
    }

    /// A node that was well for this long, with an open node that was well too in reach, is open.
    private static let longestStart: Duration = .seconds(12)

    func checkStarts() {
        let since = now + (.zero - Self.longestStart)
        guard now - .zero > Self.longestStart else { return }
        for node in nodes where node.hasBeenWell(since: since) && node.process?.core.replication.isReady == false {
            guard !node.isCopy, !node.disk.isFull, node.disk.slowUntil <= since, node.disk.wellSince <= since else {
                continue
            }
            let donor = nodes.first { donor in
                donor.index != node.index && !donor.isCopy && donor.hasBeenWell(since: since)
                    && donor.process?.openSince.map { $0 <= since } == true
                    && network.hasConnected(node.index, donor.index, since: since)
                    && (isSeed(donor.index) || node.process?.core.membership.member(named: donor.name) != nil)
            }
            guard let donor else { continue }
            violate(.lateStart, "\(node.name) is not open, with \(donor.name) in reach")
        }
    }

    // MARK: Bounds

    /// Everything that engines and queues hold is within the limit they declare.
    func checkBounds() {
        for node in nodes {
            guard let process = node.process else { continue }
            for occupancy in process.core.occupancy {
                check(occupancy, .memoryBound, of: node)
            }
            for occupancy in process.transport.occupancy + [process.inbox.occupancy] {
                check(occupancy, .queueBound, of: node)
            }
        }
    }

    private func check(_ occupancy: Occupancy, _ checker: Violation.Checker, of node: SimulatedNode) {
        guard occupancy.count > occupancy.limit else { return }
        violate(checker, "\(node.name) has \(occupancy.count) \(occupancy.name), the limit is \(occupancy.limit)")
    }
}
