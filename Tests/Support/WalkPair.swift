internal import Cluster
package import Replication
package import Simulation
package import Transport

/// Two replicas in memory that have walked with each other over a perfect exchange, each by the core's `Walking`.
package struct WalkPair {
    package private(set) var initiator = WalkOutcome()
    package private(set) var responder = WalkOutcome()
    /// What each side was sent, in order.
    package private(set) var toInitiator: [[UInt8]] = []
    package private(set) var toResponder: [[UInt8]] = []

    /// Bytes of all messages.
    package var bytes: Int { (toInitiator + toResponder).reduce(0) { $0 + $1.count } }

    /// `left` opens. `responderNode`: the id of the other side, where it is not that of its replica.
    package static func run(
        _ left: inout MemoryReplica, _ right: inout MemoryReplica, responderNode: NodeID? = nil,
        at wall: WallReading = reading(.max)
    ) throws -> WalkPair {
        var pair = WalkPair()
        var (leading, turn) = Walking.initiator(node: left.nodeID)
        var messages = try carryOut(&turn, &leading, &left, &pair.initiator, wall)
        pair.toResponder += messages
        var (following, answer) = try Walking.responder(
            node: responderNode ?? right.nodeID, isSynced: true, first: WalkMessage.decode(messages[0]))
        messages = try carryOut(&answer, &following, &right, &pair.responder, wall)
        while !messages.isEmpty {
            pair.toInitiator += messages
            messages = try deliver(messages, to: &leading, &left, &pair.initiator, wall)
            pair.toResponder += messages
            messages = try deliver(messages, to: &following, &right, &pair.responder, wall)
        }
        return pair
    }

    /// Gives what the side says to these messages.
    private static func deliver(
        _ messages: [[UInt8]], to side: inout Walking, _ replica: inout MemoryReplica, _ outcome: inout WalkOutcome,
        _ wall: WallReading
    ) throws -> [[UInt8]] {
        try messages.flatMap { message in
            var turn = try side.received(WalkMessage.decode(message))
            return try carryOut(&turn, &side, &replica, &outcome, wall)
        }
    }

    /// Answers from the replica until the side waits for the other, or is over.
    private static func carryOut(
        _ turn: inout Walking.Turn, _ side: inout Walking, _ replica: inout MemoryReplica,
        _ outcome: inout WalkOutcome, _ wall: WallReading
    ) throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while true {
            switch turn {
            case .finished(let last, let result):
                outcome = result
                return messages + last
            case .step(let step):
                messages += step.messages
                guard case .ask(let question) = step.next else { return messages }
                turn = try side.answered(replica.answer(question, at: wall))
            }
        }
    }
}
