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

    /// Of rows in one answer of either store, the most; and of those where there was more than one.
    package private(set) var largestAnswer = 0
    package private(set) var largestAnswerOfMany = 0
    /// What the stores were asked.
    package private(set) var questionCount = 0

    /// Bytes of all messages.
    package var bytes: Int { (toInitiator + toResponder).reduce(0) { $0 + $1.count } }

    /// `left` opens. `responderNode`: the id of the other side, where it is not that of its replica.
    package static func run(
        _ left: inout MemoryReplica, _ right: inout MemoryReplica, responderNode: NodeID? = nil,
        at wall: WallReading = reading(.max), limit: WalkLimit = WalkLimit()
    ) throws -> WalkPair {
        var pair = WalkPair()
        var (leading, turn) = Walking.initiator(node: left.nodeID, limit: limit)
        var messages = try pair.carryOut(&turn, &leading, &left, \.initiator, wall)
        pair.toResponder += messages
        var (following, answer) = try Walking.responder(
            node: responderNode ?? right.nodeID, isSynced: true, limit: limit, first: WalkMessage.decode(messages[0]))
        messages = try pair.carryOut(&answer, &following, &right, \.responder, wall)
        while !messages.isEmpty {
            pair.toInitiator += messages
            messages = try pair.deliver(messages, to: &leading, &left, \.initiator, wall)
            pair.toResponder += messages
            messages = try pair.deliver(messages, to: &following, &right, \.responder, wall)
        }
        return pair
    }

    /// Gives what the side says to these messages.
    private mutating func deliver(
        _ messages: [[UInt8]], to side: inout Walking, _ replica: inout MemoryReplica,
        _ outcome: WritableKeyPath<WalkPair, WalkOutcome>, _ wall: WallReading
    ) throws -> [[UInt8]] {
        var answers: [[UInt8]] = []
        for message in messages {
            var turn = try side.received(WalkMessage.decode(message))
            answers += try carryOut(&turn, &side, &replica, outcome, wall)
        }
        return answers
    }

    /// Answers from the replica until the side waits for the other, or is over.
    private mutating func carryOut(
        _ turn: inout Walking.Turn, _ side: inout Walking, _ replica: inout MemoryReplica,
        _ outcome: WritableKeyPath<WalkPair, WalkOutcome>, _ wall: WallReading
    ) throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while true {
            switch turn {
            case .finished(let last, let result):
                self[keyPath: outcome] = result
                return messages + last
            case .step(let step):
                messages += step.messages
                guard case .ask(let question) = step.next else { return messages }
                let answer = replica.answer(question, at: wall)
                note(answer)
                turn = try side.answered(answer)
            }
        }
    }

    private mutating func note(_ answer: WalkAnswer) {
        questionCount += 1
        let rows =
            switch answer {
            case .compare(let comparison): comparison.ours.rows
            case .rows(let batch), .rest(let batch): batch.rows
            case .merge, .topSums, .bucketSums, .digests, .page: [EncodedRow]()
            }
        let bytes = rows.reduce(0) { $0 + $1.bytes.count }
        largestAnswer = max(largestAnswer, bytes)
        if rows.count > 1 { largestAnswerOfMany = max(largestAnswerOfMany, bytes) }
    }
}

extension WalkLimit {
    /// So many rows and bytes.
    package init(rows: Int, bytes: Int) {
        self.init()
        (maxRows, maxBytes) = (rows, bytes)
    }

    /// No limit.
    package static var all: WalkLimit { WalkLimit(rows: .max, bytes: .max) }
}
