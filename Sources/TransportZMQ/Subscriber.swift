internal import CLibZMQ
import Transport
import TransportKit

/// The broadcasts of peers: one SUB for each, subscribed to all, made again whenever its connection ends. Confined to the
/// owner thread.
///
/// libzmq gives a SUB up for good after some failures, a denied handshake among them, and says so only through the
/// monitor; so no connection is left to it to make again.
final class Subscriber {
    private struct Entry {
        /// What the peer's last welcome said.
        var hello: Hello
        var subscription: Subscription?
        /// When to subscribe again after a failure.
        var retry: BackOff?
        /// Outlives a subscription: what is lost between two of one stream is counted.
        var follower = StreamFollower()

        /// When a subscription is to be made again, or has been silent for too long.
        var deadline: ContinuousClock.Instant? {
            if let subscription { return subscription.beatDeadline }
            return retry?.until
        }
    }

    private let shared: SharedParts
    private var entries: [PeerAddress: Entry] = [:]
    private var deadline = CachedDeadline()
    /// Hears of each peer whose broadcasts begin to come in.
    private let onHeard: (PeerAddress) -> Void

    init(_ shared: SharedParts, onHeard: @escaping (PeerAddress) -> Void) {
        self.shared = shared
        self.onHeard = onHeard
    }

    // MARK: Subscribing

    /// Whether the peer's broadcasts come in.
    func isHeard(_ address: PeerAddress) -> Bool { entries[address]?.subscription?.isHeard == true }

    /// Hears the XPUB that the peer's welcome has told of. Where that is another one, or another start of the peer, the
    /// old subscription ends.
    func subscribe(to address: PeerAddress, _ hello: Hello) {
        guard hello.publishPort != 0 else { return leave(address) }
        let publisher = PeerAddress(host: hello.publishHost ?? address.host, port: hello.publishPort)
        if let old = entries[address]?.subscription {
            if old.stream == hello.stream, old.publisher == publisher { return }
            old.connection.close()
        }
        var entry = entries[address] ?? Entry(hello: hello)
        entry.hello = hello
        do throws(TransportError) {
            entry.subscription = try makeSubscription(to: publisher, of: address, stream: hello.stream)
        } catch {
            entry.subscription = nil
            entry.retry = BackOff(after: entry.retry)
        }
        entries[address] = entry
        deadline.invalidate()
    }

    /// The address is no peer's any more.
    func leave(_ address: PeerAddress) {
        entries.removeValue(forKey: address)?.subscription?.connection.close()
        deadline.invalidate()
    }

    /// The node ends.
    func close() {
        for entry in entries.values { entry.subscription?.connection.close() }
        entries = [:]
    }

    private func makeSubscription(
        to publisher: PeerAddress, of peer: PeerAddress, stream: UInt64
    ) throws(TransportError) -> Subscription {
        let subscription = Subscription(
            to: publisher, of: peer, stream: stream, connection: try ClientSocket(.subscriber, in: shared.reactor),
            until: .now + shared.configuration.answerTimeout)
        do throws(TransportError) {
            for topic in [Channel.membership.rawValue, Channel.replication.rawValue, BroadcastFrame.beatChannel] {
                try subscription.connection.socket.set(ZMQ_SUBSCRIBE, [topic])
            }
            try subscription.connection.connect(
                to: publisher, from: shared.local,
                onEvent: { [unowned self, unowned subscription] event in note(event, of: subscription) },
                onReady: { [unowned self, unowned subscription] in receive(subscription) })
        } catch {
            subscription.connection.close()
            throw error
        }
        return subscription
    }

    private func note(_ event: ConnectionEvent, of subscription: Subscription) {
        switch event {
        case .connected, .established, .accepted: break
        case .connectFailed, .handshakeFailed: lose(subscription)
        case .disconnected:
            // What came before the end is still there.
            receive(subscription)
            lose(subscription)
        }
    }

    /// The connection is gone, or was none: the next one is planned.
    private func lose(_ subscription: Subscription) {
        guard subscription.connection.isOpen else { return }
        subscription.connection.close()
        guard let entry = entries[subscription.peer], entry.subscription === subscription else { return }
        entries[subscription.peer]?.subscription = nil
        entries[subscription.peer]?.retry = BackOff(after: subscription.isHeard ? nil : entry.retry)
        deadline.invalidate()
    }

    // MARK: Time

    /// When `advance` has something to do.
    var nextDeadline: ContinuousClock.Instant? {
        deadline.value { entries.values.reduce(nil) { earlier($0, $1.deadline) } }
    }

    /// Gives up subscriptions that are silent, and makes those again that have failed.
    func advance(to now: ContinuousClock.Instant) {
        guard deadline.isDue(at: now) else { return }
        deadline.invalidate()
        for (address, entry) in entries {
            guard let due = entry.deadline, due <= now else { continue }
            if let subscription = entry.subscription { lose(subscription) } else { subscribe(to: address, entry.hello) }
        }
    }

    // MARK: Receiving

    private func receive(_ subscription: Subscription) {
        let socket = subscription.connection.socket
        guard socket.events.isReadable else { return }
        let versions = shared.configuration.versions
        for _ in 0..<ZMQLoop.turnLimit {
            let result = socket.receive { frame -> Result<BroadcastFrame, WireError> in
                do throws(WireError) {
                    return .success(try BroadcastFrame.decode(frame.bytes, versions: versions))
                } catch {
                    return .failure(error)
                }
            }
            switch result {
            case .success(let frame): take(frame, from: subscription)
            case .failure(let error): shared.events.dropped(error)
            case nil: return
            }
        }
    }

    private func take(_ frame: BroadcastFrame, from subscription: Subscription) {
        let sender = subscription.peer
        // Of another start than the welcome told of, which will say its own: not to be mixed in.
        guard frame.stream == subscription.stream, entries[sender]?.subscription === subscription else { return }
        if !subscription.isHeard { noteHeard(subscription) }
        switch frame.content {
        case .beat(let heads):
            let lost = entries[sender]?.follower.noteBeat(stream: frame.stream, heads: heads) ?? 0
            shared.events.dropped(.lost, count: lost)
        case .messages(let channel, let sequence, let messages):
            let lost = entries[sender]?.follower.note(frame: sequence, channel: channel, stream: frame.stream) ?? 0
            shared.events.dropped(.lost, count: lost)
            for message in messages where !message.excluded.contains(shared.local.streamID) {
                shared.traffic.append(message.bytes, from: sender, .broadcast(reachedEveryone: true), on: channel)
            }
        }
    }

    /// A peer's broadcasts come in: it is told, so that it says again what it said before.
    private func noteHeard(_ subscription: Subscription) {
        subscription.noteHeard()
        entries[subscription.peer]?.retry = nil
        deadline.invalidate()
        onHeard(subscription.peer)
    }
}
