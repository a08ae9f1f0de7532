internal import CLibZMQ
import Transport

/// Broadcasts of peers: one SUB for each, subscribed to all, made again whenever its connection ends.
///
/// libzmq gives a SUB up for good after some failures, a denied handshake among them, and says so only through the
/// monitor; so no connection is left to it to make again.
extension ZMQLoop {
    /// Hears the XPUB that the peer's welcome has told of. Where that is another one, or another start of the peer, the
    /// old subscription ends.
    func subscribe(to address: PeerAddress) {
        guard let peer = peers[address], let hello = peer.hello, hello.publishPort != 0 else { return }
        let publisher = PeerAddress(host: hello.publishHost ?? address.host, port: hello.publishPort)
        if let old = peer.subscription {
            if old.stream == hello.stream, old.publisher == publisher { return }
            close(old)
            peers[address]?.subscription = nil
        }
        do throws(TransportError) {
            peers[address]?.subscription = try makeSubscription(to: publisher, of: address, stream: hello.stream)
        } catch {
            peers[address]?.subscribing = BackOff(after: peer.subscribing)
        }
        areDialsChanged = true
    }

    private func makeSubscription(
        to publisher: PeerAddress, of peer: PeerAddress, stream: UInt64
    ) throws(TransportError) -> Subscription {
        let socket = try Socket(.subscriber, in: context)
        let subscription = Subscription(
            to: publisher, of: peer, stream: stream, socket: socket, until: .now + configuration.answerTimeout)
        do throws(TransportError) {
            try keys?.secureClient(socket)
            try socket.set(SocketKind.family(of: publisher))
            for topic in [Channel.membership.rawValue, Channel.replication.rawValue, BroadcastFrame.beatChannel] {
                try socket.set(ZMQ_SUBSCRIBE, [topic])
            }
            subscription.monitor = try monitor(socket) { [unowned self, unowned subscription] event, _ in
                note(event, of: subscription)
            }
            subscription.source = try poller.add(socket) { [unowned self, unowned subscription] in
                receiveBroadcasts(subscription)
            }
            guard socket.connect(endpoint(publisher)) else { throw .failed(reason: Socket.lastError) }
        } catch {
            close(subscription)
            throw error
        }
        return subscription
    }

    func close(_ subscription: Subscription) {
        if let source = subscription.source { poller.remove(source) }
        subscription.source = nil
        subscription.monitor?.close()
        subscription.monitor = nil
        subscription.socket.close()
    }

    private func note(_ event: ConnectionEvent, of subscription: Subscription) {
        switch event {
        case .connected, .established, .accepted: break
        case .connectFailed, .handshakeFailed: lose(subscription)
        case .disconnected:
            // What came before the end is still there.
            receiveBroadcasts(subscription)
            lose(subscription)
        }
    }

    /// The connection is gone, or was none: the next one is planned.
    private func lose(_ subscription: Subscription) {
        guard subscription.source != nil else { return }
        close(subscription)
        guard let peer = peers[subscription.peer], peer.subscription === subscription else { return }
        peers[subscription.peer]?.subscription = nil
        peers[subscription.peer]?.subscribing = BackOff(after: subscription.isHeard ? nil : peer.subscribing)
        areDialsChanged = true
    }

    /// When a subscription is to be made again, or has been silent for too long.
    func subscriptionDeadline(of peer: PeerState) -> ContinuousClock.Instant? {
        if let subscription = peer.subscription { return subscription.beatDeadline }
        return peer.hello == nil ? nil : peer.subscribing?.until
    }

    func advanceSubscription(of address: PeerAddress, to now: ContinuousClock.Instant) {
        guard let peer = peers[address], let deadline = subscriptionDeadline(of: peer), deadline <= now else { return }
        if let subscription = peer.subscription { lose(subscription) } else { subscribe(to: address) }
    }

    // MARK: Receiving

    private func receiveBroadcasts(_ subscription: Subscription) {
        guard subscription.socket.events.isReadable else { return }
        for _ in 0..<Self.turnLimit {
            let versions = configuration.versions
            let result = subscription.socket.receive { frame -> Result<BroadcastFrame, WireError> in
                do throws(WireError) {
                    return .success(try BroadcastFrame.decode(frame.bytes, versions: versions))
                } catch {
                    return .failure(error)
                }
            }
            switch result {
            case .success(let frame): take(frame, from: subscription)
            case .failure(let error): count(error)
            case nil: return
            }
        }
    }

    private func take(_ frame: BroadcastFrame, from subscription: Subscription) {
        // Of another start than the welcome told of, which will say its own: not to be mixed in.
        guard frame.stream == subscription.stream, peers[subscription.peer]?.subscription === subscription else {
            return
        }
        let sender = subscription.peer
        noteHeard(subscription)
        switch frame.content {
        case .beat(let heads):
            let lost = peers[sender]?.follower.noteBeat(stream: frame.stream, heads: heads) ?? 0
            port.events.dropped(.lost, count: lost)
        case .messages(let channel, let sequence, let messages):
            let lost = peers[sender]?.follower.note(frame: sequence, channel: channel, stream: frame.stream) ?? 0
            port.events.dropped(.lost, count: lost)
            for message in messages where !message.excluded.contains(streamID) {
                batches[Int(channel.rawValue)].append(
                    Arrival(message: message.bytes, sender: sender, delivery: .broadcast(reachedEveryone: true)))
            }
        }
    }

    /// A peer's broadcasts come in: it is told, so that it says again what it said before.
    private func noteHeard(_ subscription: Subscription) {
        guard !subscription.isHeard else { return }
        subscription.beatDeadline = nil
        peers[subscription.peer]?.subscribing = nil
        areDialsChanged = true
        guard let dial = dials[subscription.peer], dial.isUp else { return }
        dial.link.enqueue(.subscribed)
        pump(dial)
    }
}
