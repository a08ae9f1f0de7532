import Transport

/// Unicasts and broadcasts.
extension ZMQLoop {
    // MARK: Sending

    /// What tasks want sent on one channel, in order.
    func carryOut(_ commands: [CommandQueue.Command], on channel: Channel) {
        guard !commands.isEmpty else { return }
        var packer = BroadcastPacker(
            channel: channel, version: broadcastVersion, stream: streamID, maxFrameBytes: Self.maxFrameBytes)
        let deaf = peers.values.filter { !$0.channels.has(channel) }.compactMap(\.hello?.stream)
        var used: [Dial] = []
        for command in commands {
            switch command {
            case .send(let message, let address):
                if let dial = send(message, on: channel, to: address), !used.contains(where: { $0 === dial }) {
                    used.append(dial)
                }
            case .broadcast(let message, let options):
                let skipped = options.skipping.compactMap { peers[$0]?.hello?.stream }
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
        if let peer = peers[address], !peer.channels.has(channel) {
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
        nextBeat = .now + Self.beatInterval
        publish(BroadcastFrame.beat(version: broadcastVersion, stream: streamID, heads: heads))
    }

    /// The highest version that all peers understand, as far as they have said: one stream is for all.
    private var broadcastVersion: UInt8 {
        var version = configuration.versions.upperBound
        for peer in peers.values {
            if let common = peer.hello?.commonVersion(with: configuration.versions) { version = min(version, common) }
        }
        return version
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
}
