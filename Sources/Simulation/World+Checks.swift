internal import Membership
internal import Replication
internal import Transport

/// Checkers. They know what was promised, and nothing of how it is kept.
extension World {
    /// Violations of one run that are kept; the first ones tell the story.
    private static let maxViolations = 20

    func violate(_ checker: Violation.Checker, _ detail: String) {
        guard violations.count < Self.maxViolations else { return }
        violations.append(Violation(checker: checker, detail: detail, at: now - .zero))
    }

    // MARK: Clocks

    /// Each process numbers its stream by a reading of its clock, later than all readings before.
    func check(start: HybridTime, of node: SimulatedNode) {
        let stamp = Stamp(time: start, origin: node.nodeID)
        check(stamp: stamp, of: node)
    }

    func check(stamp: Stamp, of node: SimulatedNode) {
        guard stamp.origin == node.nodeID else { return }
        if let last = lastTimes[node.index], last.origin == stamp.origin, stamp.time <= last.time {
            violate(.clock, "\(node.name) went from \(last.time) to \(stamp.time)")
        }
        lastTimes[node.index] = stamp
    }

    // MARK: Membership

    func noteFailure(of member: Member, seenBy observer: Int) {
        stats.failures += 1
        guard let index = SimulatedNode.index(member.address), index < nodes.count else { return }
        // Trouble of any kind, of either, excuses; so does a cut anywhere, since accusations travel.
        let isExcused =
            nodes[index].process == nil || nodes[index].troubledUntil >= now || nodes[observer].troubledUntil >= now
            || networkTroubledUntil >= now
        guard !isExcused else { return }
        stats.falseFailures += 1
        violate(.falseFailure, "\(nodes[observer].name) declared \(member.name) failed")
    }

    /// Everybody sees everybody as alive.
    var isWhole: Bool {
        nodes.allSatisfy { node in
            guard let members = node.process?.membership.members else { return false }
            return members.count { $0.status == .alive } == nodes.count
        }
    }

    // MARK: Data

    /// Equal roots on all nodes.
    package var areEqual: Bool {
        nodes.allSatisfy { $0.replica.summary == nodes[0].replica.summary }
    }

    var areReady: Bool { nodes.allSatisfy { $0.process?.replication.isReady == true } }

    /// After the healing: nothing lost, nothing invented, all equal, field by field.
    func checkData() {
        let required = history.required
        for node in nodes {
            for key in required.keys.sorted() {
                guard let needed = required[key] else { continue }
                guard let held = node.replica.rows[key], held.merged(with: needed) == held else {
                    violate(.lostWrite, "\(node.name) lacks \(key)")
                    break
                }
            }
            for row in node.replica.sortedRows {
                guard let possible = history.possible[row.key], possible.merged(with: row) == possible else {
                    violate(.inventedWrite, "\(node.name) has \(row.key)")
                    break
                }
            }
            let isEqual = node.replica.rows == nodes[0].replica.rows
            let hasEqualRoot = node.replica.summary == nodes[0].replica.summary
            if !isEqual { violate(.notEqual, "\(node.name) and \(nodes[0].name)") }
            if isEqual != hasEqualRoot { violate(.fingerprint, "\(node.name) and \(nodes[0].name)") }
        }
    }

    // MARK: Bounds

    /// Everything that engines keep is bounded by what they are told of.
    func checkBounds() {
        for node in nodes {
            guard let process = node.process else { continue }
            let members = nodes.count * 2 + 16
            if process.membership.timerCount > 64 * members {
                violate(.memoryBound, "\(node.name) has \(process.membership.timerCount) timers")
            }
            if process.replication.streamCount > options.replication.maxStreams {
                violate(.memoryBound, "\(node.name) follows \(process.replication.streamCount) streams")
            }
            if process.transport.waitingCount > 1 << 16 {
                violate(.queueBound, "\(node.name) has \(process.transport.waitingCount) messages waiting")
            }
            if process.unread.count > 4_096 { violate(.queueBound, "\(node.name) has \(process.unread.count) unread") }
        }
    }
}
