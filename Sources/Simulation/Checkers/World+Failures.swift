internal import Cluster
internal import Membership
internal import Transport

/// Whether a failure was declared for good reason.
extension World {
    /// Longest pause after which nobody may be declared failed.
    private static let longestPause: Duration = .seconds(3)
    /// How long trouble between two nodes may lead one of them to declare the other failed: the longest that a suspicion
    /// takes to be confirmed, or refuted once the trouble is over.
    private static let ownTrouble: Duration = .seconds(10)
    /// The same for a verdict that was passed on, by nodes that may have stood still or been cut off with it meanwhile.
    static let toldTrouble: Duration = .seconds(25)

    /// `observer` has been told, or says itself, that a member failed; `accuser` is who says so.
    func noteFailure(of member: Member, by accuser: String, seenBy observer: Int) {
        stats.failures += 1
        guard let index = SimulatedNode.index(member.address), index < nodes.count else { return }
        verdicts?.append(Verdict(at: now, observer: observer, member: index, hasFailed: true))
        let subject = nodes[index]
        // Another node is there now, or the same under another name.
        guard subject.name == member.name else { return }
        if subject.process != nil { failedViews[FailedView(observer: observer, member: index)] = now }
        if neverPaused(subject) { stats.healthyFailures += 1 }
        let isOwn = accuser == nodes[observer].name
        let since = now + (.zero - (isOwn ? Self.ownTrouble : Self.toldTrouble))
        guard since > .zero, let accuserIndex = nodes.firstIndex(where: { $0.name == accuser }),
            subject.hasRun(since: since), subject.longPauseEnd.map({ $0 < since }) ?? true,
            !subject.isPausedNow || subject.stillSince.map({ now - $0 <= Self.longestPause }) ?? true,
            couldTalk(accuserIndex, index, since: since)
        else { return }
        // A short pause may take most of the time to refute in. What is left of it is enough, unless a cut had somebody
        // suspect the member before, or makes the answer go by way of others.
        if !subject.hasBeenWell(since: since), !isConnectedToAll(index, since: since) { return }
        // A verdict that waited in a process which stood still is an old one.
        if !isOwn, !nodes[observer].hasBeenWell(since: since) || !nodes[accuserIndex].hasRun(since: since) { return }
        stats.falseFailures += 1
        violate(.falseFailure, "\(nodes[observer].name) declared \(member.name) failed, accused by \(accuser)")
    }

    /// Where packets are neither lost nor late, and no two nodes are cut off from each other altogether, nobody suspects a
    /// member that is well and in reach, if only by way of others. (Of two that were cut off the one's verdict, though old,
    /// is a suspicion for whoever gets its list of members later.)
    func noteSuspicion(of member: Member, by accuser: String, seenBy observer: Int) {
        if let index = SimulatedNode.index(member.address), index < nodes.count {
            verdicts?.append(Verdict(at: now, observer: observer, member: index, hasFailed: false))
        }
        let faults = options.faults
        guard options.transport == .udp, faults.loss == 0, faults.tailRate == 0, faults.corruption == 0,
            accuser == nodes[observer].name, let index = SimulatedNode.index(member.address), index < nodes.count,
            nodes[index].name == member.name
        else { return }
        let since = now + (.zero - Self.ownTrouble)
        // That the observer itself stood still is no excuse.
        guard nodes[index].hasBeenWell(since: since), nodes[observer].hasRun(since: since),
            couldProbe(observer, index, since: since), couldAllTalk(since: now + (.zero - Self.toldTrouble))
        else { return }
        violate(.falseSuspicion, "\(accuser) suspects \(member.name)")
    }

    /// A member that was seen as failed is seen as alive again.
    func noteReturn(of member: Member, seenBy observer: Int) {
        guard let index = SimulatedNode.index(member.address),
            let failedAt = failedViews.removeValue(forKey: FailedView(observer: observer, member: index))
        else { return }
        let node = nodes[index]
        // A node that stands still itself sees nobody return.
        let wellSince = [
            failedAt, node.lastPauseEnd ?? .zero, node.process?.startedAt ?? .zero,
            nodes[observer].lastPauseEnd ?? .zero,
        ].reduce(.zero, max)
        stats.slowestReturn = max(stats.slowestReturn, now - wellSince)
        stats.returns += 1
    }

    /// A node is killed and stays so; how long until it is found out is measured.
    package func killForGood(_ index: Int) {
        detections[index] = Detection(killedAt: now)
        kill(index)
    }

    func noteDetection(of member: Member, hasFailed: Bool) {
        guard !detections.isEmpty, let index = SimulatedNode.index(member.address), var detection = detections[index]
        else { return }
        let time = now - detection.killedAt
        if hasFailed {
            detection.firstFailed = detection.firstFailed ?? time
            detection.failedCount += 1
            if detection.failedCount == nodes.count(where: { $0.process != nil }) { detection.allFailed = time }
        } else {
            detection.firstSuspected = detection.firstSuspected ?? time
        }
        detections[index] = detection
    }

    /// A moment between two pauses is too short to answer in: both are one.
    private static let breath: Duration = .seconds(1)

    func notePause(of node: SimulatedNode) {
        if let end = node.lastPauseEnd, now - end < Self.breath { return }
        node.stillSince = now
    }

    /// Whether a pause that ends now was so long, with those just before it, that the member may be seen as failed.
    func wasLong(_ node: SimulatedNode) -> Bool { node.stillSince.map { now - $0 > Self.longestPause } ?? false }

    private func neverPaused(_ node: SimulatedNode) -> Bool {
        node.process != nil && node.lastPauseEnd == nil && !node.isPausedNow
    }

    /// Whether the two have been able to hear each other since then, at least by way of a node that was well.
    private func couldTalk(_ first: Int, _ second: Int, since instant: EngineInstant) -> Bool {
        first == second || network.hasConnected(first, second, since: instant)
            || relayCount(first, second, since: instant) > 0
    }

    /// Whether any helpers that the one may have asked to probe the other were of use.
    private func couldProbe(_ first: Int, _ second: Int, since instant: EngineInstant) -> Bool {
        if network.hasConnected(first, second, since: instant) { return true }
        let useful = relayCount(first, second, since: instant)
        return useful > 0 && nodes.count - 2 - useful < options.membership.indirectProbeCount
    }

    private func relayCount(_ first: Int, _ second: Int, since instant: EngineInstant) -> Int {
        nodes.count { relay in
            relay.index != first && relay.index != second && relay.hasBeenWell(since: instant)
                && network.hasConnected(first, relay.index, since: instant)
                && network.hasConnected(relay.index, second, since: instant)
        }
    }

    private func isConnectedToAll(_ index: Int, since instant: EngineInstant) -> Bool {
        nodes.allSatisfy { $0.index == index || network.hasConnected($0.index, index, since: instant) }
    }

    private func couldAllTalk(since instant: EngineInstant) -> Bool {
        nodes.indices.allSatisfy { first in
            nodes.indices.allSatisfy { second in second <= first || couldTalk(first, second, since: instant) }
        }
    }

    /// Everybody sees everybody as alive.
    package var isWhole: Bool {
        present.allSatisfy { $0.process?.core.membership.count(of: .alive) == present.count }
    }
}

/// How soon a dead node was found out, from its death on.
package struct Detection: Hashable, Sendable {
    let killedAt: EngineInstant
    /// By the first node that noticed.
    package internal(set) var firstSuspected: Duration?
    package internal(set) var firstFailed: Duration?
    /// By every node that lives.
    package internal(set) var allFailed: Duration?
    var failedCount = 0
}

/// Who sees whom as failed.
struct FailedView: Hashable, Sendable {
    var observer: Int
    var member: Int
}
