import Transport

/// Unicasts and broadcasts.
extension ZMQLoop {
    // MARK: Sending

    /// What tasks want sent on one channel, in order.
    func carryOut(_ commands: [CommandQueue.Command], on channel: Channel) {
        guard !commands.isEmpty else { return }
        var packer = BroadcastPacker(
            channel: channel, version: Hello.versions.upperBound, stream: streamID, maxFrameBytes: Self.maxFrameBytes)
        let deaf = peers.values.filter { !$0.channels.contains(channel) }.compactMap(\.stream)
        var used: [Dial] = []
        for command in commands {
            switch command {
            case .send(let message, let address):
                if let dial = send(message, on: channel, to: address), !used.contains(where: { $0 === dial }) {
                    used.append(dial)
                }
            case .broadcast(let message, let options):
                let skipped = options.skipping.compactMap { peers[$0]?.stream }
                if let frame = packer.add(message, excluding: deaf + skipped, sequence: &heads[channel]) {
                    publish(frame)
                }
            }
        }
        if let frame = packer.flush(sequence: &heads[channel]) { publish(frame) }
        for dial in used { pump(dial) }
    }

    /// `nil` when it goes nowhere.
    private func send(_ message: [UInt8], on channel: Channel, to address: PeerAddress) -> Dial? {
        if let peer = peers[address], !peer.channels.contains(channel) {
            port.events.dropped(.unsupported)
            return nil
        }
        // Who could not be reached a moment ago is not dialled for each message.
        if dials[address] == nil, let backOff = backOffs[address], backOff.until > .now {
            port.events.dropped(.unreachable)
            return nil
        }
        guard let dial = dial(address) else {
            port.events.dropped(.unreachable)
            return nil
        }
        dial.lastUsed = .now
        let lost = dial.link.enqueue(unicast: message, on: channel)
        port.events.dropped(.sendQueueFull, count: lost)
        return dial
    }

    private func publish(_ frame: [UInt8]) {
        // A subscriber whose queue is full loses it, and sees by the next number that it has.
        if publisher.send(frame) != .sent { port.events.dropped(.sendFailed) }
    }

    /// Tells subscribers where the streams stand: whoever sees it is connected, and misses nothing from here on unseen.
    func publishBeat() {
        isBeatWanted = false
        publish(BroadcastFrame.beat(version: Hello.versions.upperBound, stream: streamID, heads: heads))
    }

    /// The XPUB tells of each subscription: a first byte 1, then the topic.
    func receiveSubscriptions() {
        guard publisher.events.isReadable else { return }
        for _ in 0..<Self.turnLimit {
            let isBeat = publisher.receive { frame in
                frame.bytes.count == 2 && frame.bytes[0] == 1 && frame.bytes[1] == BroadcastFrame.beatChannel
            }
            guard let isBeat else { break }
            if isBeat { isBeatWanted = true }
        }
    }

    // MARK: Receiving

    func receiveBroadcasts() {
        guard subscriber.events.isReadable else { return }
        for _ in 0..<Self.turnLimit {
            let result = subscriber.receive { frame -> Result<BroadcastFrame, WireError> in
                do throws(WireError) { return .success(try BroadcastFrame.decode(frame.bytes)) } catch {
                    return .failure(error)
                }
            }
            switch result {
            case .success(let frame): take(frame)
            case .failure(let error): count(error)
            case nil: return
            }
        }
    }

    private func take(_ frame: BroadcastFrame) {
        // Of nobody that is a peer, or of a start of one that has not said its welcome: the next beat begins anew.
        guard let sender = publishers[frame.stream] else { return }
        switch frame.content {
        case .beat(let heads):
            let lost = peers[sender]?.follower.noteBeat(stream: frame.stream, heads: heads) ?? 0
            port.events.dropped(.lost, count: lost)
            noteHeard(sender)
        case .messages(let channel, let sequence, let messages):
            let lost = peers[sender]?.follower.note(frame: sequence, channel: channel, stream: frame.stream) ?? 0
            port.events.dropped(.lost, count: lost)
            for message in messages where !message.excluded.contains(streamID) {
                batches[Int(channel.rawValue)].append(
                    Arrival(
                        message: message.bytes, sender: sender, delivery: .broadcast(reachedEveryone: true)))
            }
        }
    }

    /// A peer's broadcasts come in: it is told, so that it says again what it said before.
    private func noteHeard(_ address: PeerAddress) {
        guard peers[address]?.isHeard == false, let dial = dials[address], dial.isUp else { return }
        peers[address]?.isHeard = true
        dial.link.enqueue(.subscribed)
        pump(dial)
    }

    /// The monitor of the SUB: a broken connection has to be heard of again.
    func noteSubscriber(_ event: ConnectionEvent, _ endpoint: String) {
        guard case .disconnected = event, let publisher = PeerAddress(String(endpoint.dropFirst("tcp://".count))) else {
            return
        }
        for (address, state) in peers where state.publisher == publisher { peers[address]?.isHeard = false }
    }
}
