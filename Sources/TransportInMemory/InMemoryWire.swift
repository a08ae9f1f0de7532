internal import class Foundation.NSLock
import Transport
import TransportKit

/// An exchange within an `InMemoryNetwork`: the pipes of both ends, and the wire between them, which hands over what one has
/// sent as the other has room.
///
/// Both transports hold the wire until it is over. The handles that are given out hold the pipes alone, so that dropping a
/// handle closes its end.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class InMemoryWire: ExchangePipeOwner, @unchecked Sendable {
    private struct State {
        /// Sides whose messages a thread is moving, and those where it has to go round again.
        var moving: Set<ObjectIdentifier> = []
        var again: Set<ObjectIdentifier> = []
        var isOver = false
        var endActions: [@Sendable () -> Void] = []
    }

    private let dialler: ExchangePipe
    private let acceptor: ExchangePipe
    private let lock = NSLock()
    private var state = State()

    init(windowBytes: Int, maxMessageBytes: Int) {
        dialler = ExchangePipe(windowBytes: windowBytes, maxMessageBytes: maxMessageBytes, isOpen: true)
        acceptor = ExchangePipe(windowBytes: windowBytes, maxMessageBytes: maxMessageBytes, isOpen: true)
        dialler.attach(to: self)
        acceptor.attach(to: self)
    }

    /// What the user of the side that has dialled gets.
    func diallerHandle(peer: PeerAddress) -> PipeExchange { PipeExchange(peer: peer, pipe: dialler) }

    /// What the user of the side that was dialled gets.
    func acceptorHandle(peer: PeerAddress) -> PipeExchange { PipeExchange(peer: peer, pipe: acceptor) }

    /// `action` runs once, when the exchange is over; at once where it is.
    func onEnd(_ action: @escaping @Sendable () -> Void) {
        let isOver = locked { state in
            if !state.isOver { state.endActions.append(action) }
            return state.isOver
        }
        if isOver { action() }
    }

    /// Nobody can tell what arrived: the transport of one side has stopped.
    func tear() {
        dialler.fail(.closed)
        acceptor.fail(.closed)
        end()
    }

    func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) {
        let other = pipe === dialler ? acceptor : dialler
        switch signal {
        case .outgoing, .closed: move(from: pipe, to: other)
        case .read:
            _ = pipe.takeRead()
            move(from: other, to: pipe)
        }
    }

    /// Hands over what was sent, as far as the receiver has room, then the end. One thread at a time, so that messages stay
    /// in order; one that comes meanwhile has the first go round again.
    private func move(from sender: ExchangePipe, to receiver: ExchangePipe) {
        let side = ObjectIdentifier(sender)
        let isMine = locked { state in
            if state.moving.insert(side).inserted { return true }
            state.again.insert(side)
            return false
        }
        guard isMine else { return }
        repeat {
            // Last messages go out in any case: no more than a window of them.
            while sender.phase == .closing || receiver.hasRoom, let message = sender.takeOutgoing(maxBytes: 0) {
                receiver.deliver(message.frames)
                sender.didSend(cost: message.cost)
            }
            if sender.phase == .closing, !sender.hasOutgoing {
                receiver.end()
                sender.finished()
                end()
            }
        } while locked { state in
            if state.again.remove(side) != nil { return true }
            state.moving.remove(side)
            return false
        }
    }

    private func end() {
        let actions = locked { state in
            state.isOver = true
            defer { state.endActions = [] }
            return state.endActions
        }
        for action in actions { action() }
    }

    private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(&state)
    }
}
