package import Replication
package import Simulation
package import Transport

/// Both sides of a walk, run to their end over a perfect exchange between two replicas in memory.
package struct WalkRun {
    package var initiator = WalkOutcome()
    package var responder = WalkOutcome()
    /// How often the initiator spoke and then waited.
    package var roundTrips = 0
    package var bytes = 0
    /// What each side was sent, in order.
    package var toInitiator: [[UInt8]] = []
    package var toResponder: [[UInt8]] = []
    /// Keys of rows in the order in which the initiator got them.
    package var rowKeys: [ByteString] = []

    package static func run(
        _ left: inout MemoryReplica, _ right: inout MemoryReplica, responderNode: NodeID? = nil,
        latest: HybridTime = .max
    ) throws -> WalkRun {
        var result = WalkRun()
        var initiator = WalkInitiator(node: left.nodeID)
        var responder = WalkResponder(node: responderNode ?? right.nodeID, isSynced: true)
        var toRight: [[UInt8]] = []
        var toLeft: [[UInt8]] = []
        var leftTurn = initiator.begin()
        var rightTurn = responder.begin()
        var isLeftOver = false
        var isRightOver = false
        var spoke = false
        for _ in 0..<1_000_000 where !(isLeftOver && isRightOver) {
            toRight += leftTurn.messages
            spoke = spoke || !leftTurn.messages.isEmpty
            leftTurn.messages = []
            switch leftTurn.next {
            case .ask(let request): leftTurn = try initiator.answered(left.answer(request))
            case .receive:
                if toLeft.isEmpty { break }
                if spoke { result.roundTrips += 1 }
                spoke = false
                result.toInitiator.append(toLeft[0])
                let message = try WalkMessage.decode(toLeft.removeFirst())
                if case .rows(let rows) = message { result.rowKeys += rows.map(\.key) }
                leftTurn = try initiator.received(message, latest: latest)
            case .finished(let outcome):
                result.initiator = outcome
                isLeftOver = true
            }
            result.bytes += rightTurn.messages.reduce(0) { $0 + $1.count }
            toLeft += rightTurn.messages
            rightTurn.messages = []
            switch rightTurn.next {
            case .ask(let request): rightTurn = try responder.answered(right.answer(request))
            case .receive:
                if toRight.isEmpty { break }
                let bytes = toRight.removeFirst()
                result.toResponder.append(bytes)
                result.bytes += bytes.count
                rightTurn = try responder.received(WalkMessage.decode(bytes), latest: latest)
            case .finished(let outcome):
                result.responder = outcome
                isRightOver = true
            }
        }
        return result
    }
}
