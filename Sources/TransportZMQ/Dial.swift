import Transport
import TransportKit

/// One link that this node makes to a peer: one DEALER with one connection, from the attempt to its end. Confined to the
/// owner thread.
final class Dial {
    private enum State {
        /// Until the welcome.
        case connecting(until: ContinuousClock.Instant)
        /// It failed; a plain connection looks why.
        case probing(StrangerProbe, until: ContinuousClock.Instant)
        case up(Hello)
        case over
    }

    let link: Link
    let connection: ClientSocket
    let startedAt = ContinuousClock.now
    var lastUsed = ContinuousClock.now
    private var state: State
    /// Exchanges that wait for the welcome.
    private var waiting: [ExchangeStream] = []

    init(_ link: Link, over connection: ClientSocket, until deadline: ContinuousClock.Instant) {
        self.connection = connection
        self.link = link
        state = .connecting(until: deadline)
    }

    var address: PeerAddress { link.address }

    // MARK: The state

    /// Neither welcome nor failure has come.
    var isConnecting: Bool {
        if case .connecting = state { true } else { false }
    }

    var isUp: Bool { hello != nil }

    /// What the peer has said of itself.
    var hello: Hello? {
        if case .up(let hello) = state { hello } else { nil }
    }

    var isOver: Bool {
        if case .over = state { true } else { false }
    }

    /// By when something must have happened.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .connecting(let deadline), .probing(_, let deadline): deadline
        case .up, .over: nil
        }
    }

    /// The peer has answered.
    func welcome(_ hello: Hello) {
        state = .up(hello)
        lastUsed = .now
    }

    /// A plain connection finds out why this one failed.
    func wait(for probe: StrangerProbe) {
        guard case .connecting(let deadline) = state else { return probe.close() }
        state = .probing(probe, until: deadline)
    }

    /// See `ClientSocket.close`.
    func close(isLingering: Bool = false) {
        if case .probing(let probe, _) = state { probe.close() }
        state = .over
        connection.close(isLingering: isLingering)
    }

    // MARK: Exchanges that wait

    var hasWaiting: Bool { !waiting.isEmpty }

    func append(waiting stream: ExchangeStream) { waiting.append(stream) }

    func remove(waiting stream: ExchangeStream) { waiting.removeAll { $0 === stream } }

    func takeWaiting() -> [ExchangeStream] {
        defer { waiting = [] }
        return waiting
    }
}
