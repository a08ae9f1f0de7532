import Simulation
import Replication
import TestSupport
import Transport

/// One walk under way between two virtual nodes.
struct VirtualWalk {
    let initiator: Int
    let responder: Int
    let peer: NodeID
    private(set) var outcome: WalkOutcome?

    private var left: WalkInitiator
    private var right: WalkResponder
    private var leftTurn: WalkTurn
    private var rightTurn: WalkTurn
    private var toLeft: [[UInt8]] = []
    private var toRight: [[UInt8]] = []

    init(initiator: Int, responder: Int, peer: NodeID, isResponderReady: Bool) {
        self.initiator = initiator
        self.responder = responder
        self.peer = peer
        left = WalkInitiator(node: NodeID(UInt64(initiator + 1)))
        right = WalkResponder(node: peer, isReady: isResponderReady)
        leftTurn = left.begin()
        rightTurn = right.begin()
    }

    func involves(_ index: Int) -> Bool { initiator == index || responder == index }

    /// One action of each side; `true` when the initiator has finished.
    mutating func step(
        _ nodes: inout [VirtualNode], _ initiatorLimit: HybridTime, _ responderLimit: HybridTime
    ) throws -> Bool {
        toRight += leftTurn.messages
        leftTurn.messages = []
        toLeft += rightTurn.messages
        rightTurn.messages = []
        switch rightTurn.next {
        case .ask(let request): rightTurn = try right.answered(nodes[responder].replica.answer(request))
        case .receive:
            if !toRight.isEmpty {
                let message = try WalkMessage.decode(toRight.removeFirst())
                rightTurn = try right.received(message, latest: responderLimit)
            }
        case .finished: break
        }
        switch leftTurn.next {
        case .ask(let request): leftTurn = try left.answered(nodes[initiator].replica.answer(request))
        case .receive:
            if !toLeft.isEmpty {
                let message = try WalkMessage.decode(toLeft.removeFirst())
                leftTurn = try left.received(message, latest: initiatorLimit)
            }
        case .finished: break
        }
        if case .finished(let outcome) = leftTurn.next {
            self.outcome = outcome
            return true
        }
        return false
    }
}
