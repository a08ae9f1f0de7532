package import Replication
package import Transport

/// One side of a walk over an exchange: the walk itself, and how often this side has waited for the other.
package struct Walking: Sendable {
    private var walk: any Walk
    private var roundTrips = 0
    private var hasSpoken = false

    /// What a turn of the walk comes to.
    package enum Turn {
        case step(ExchangeStep)
        /// The walk is over once these messages are out.
        case finished([[UInt8]], WalkOutcome)
    }

    /// The side that opens.
    package static func initiator(
        node: NodeID, wallMilliseconds: UInt64 = 0, limit: WalkLimit = WalkLimit()
    ) -> (Self, Turn) {
        var walking = Self(walk: WalkInitiator(node: node, wallMilliseconds: wallMilliseconds, limit: limit))
        let turn = walking.walk.begin()
        return (walking, walking.follow(turn))
    }

    /// The side that was asked, with the first message.
    package static func responder(
        node: NodeID, isSynced: Bool, wallMilliseconds: UInt64 = 0, heads: [ReplicationMessage.StreamHead] = [],
        limit: WalkLimit = WalkLimit(), first: WalkMessage
    ) throws(WalkError) -> (Self, Turn) {
        var walking = Self(
            walk: WalkResponder(
                node: node, isSynced: isSynced, wallMilliseconds: wallMilliseconds, heads: heads, limit: limit))
        _ = walking.walk.begin()
        let turn = try walking.received(first)
        return (walking, turn)
    }

    private init(walk: any Walk) { self.walk = walk }

    package mutating func received(_ message: WalkMessage) throws(WalkError) -> Turn {
        let turn: WalkTurn
        do throws(WalkFailure) {
            turn = try walk.received(message)
        } catch {
            throw Self.error(error)
        }
        return follow(turn)
    }

    /// The store's answer to what the last step asked.
    package mutating func answered(_ answer: WalkAnswer) throws(WalkError) -> Turn {
        let turn: WalkTurn
        do throws(WalkFailure) {
            turn = try walk.answered(answer)
        } catch {
            throw Self.error(error)
        }
        return follow(turn)
    }

    /// The store could not answer. `nil`: that is the end of the walk.
    package mutating func storeFailed() -> Turn? { walk.storeFailed().map { follow($0) } }

    private mutating func follow(_ turn: WalkTurn) -> Turn {
        if !turn.messages.isEmpty { hasSpoken = true }
        switch turn.next {
        case .ask(let question): return .step(ExchangeStep(sending: turn.messages, then: .ask(question)))
        case .receive:
            if hasSpoken { (roundTrips, hasSpoken) = (roundTrips + 1, false) }
            return .step(ExchangeStep(sending: turn.messages, then: .receive))
        case .finished(var outcome):
            outcome.roundTrips = roundTrips
            return .finished(turn.messages, outcome)
        }
    }

    private static func error(_ failure: WalkFailure) -> WalkError {
        switch failure {
        case .unexpectedMessage: .malformed
        case .refused(let refusal): .refused(refusal)
        }
    }
}
