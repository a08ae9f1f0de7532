import Transport

/// Unicasts and broadcasts.
extension ZMQLoop {
    // MARK: Sending

    /// Where unicasts to one address go.
    private enum Way {
        case link(Dial)
        case nowhere(DropCause)
    }

    /// What tasks want sent on one channel, in order.
    func carryOut(_ commands: ArraySlice<CommandQueue.Command?>, on channel: Channel) {
        guard !commands.isEmpty else { return }
        var packer = BroadcastPacker(
            channel: channel, version: broadcastVersion, stream: streamID, maxFrameBytes: Self.maxFrameBytes)
        let listeners = peers.values.count { $0.channels.has(channel) }
        let deaf = peers.values.filter { !$0.channels.has(channel) }.compactMap(\.hello?.stream)
        var used: [Dial] = []
        var lost: [DropCause: Int] = [:]
        // Many in a row are for the same address.
        var last: (address: PeerAddress, way: Way)?
        for case let command? in commands {
            switch command {
            case .send(let message, let address):
                let way: Way
                if let last, last.address == address {
                    way = last.way
                } else {
                    way = self.way(to: address, on: channel)
                    last = (address, way)
                    if case .link(let dial) = way, !used.contains(where: { $0 === dial }) { used.append(dial) }
                }
                switch way {
                case .link(let dial):
                    let count = dial.link.enqueue(unicast: message, on: channel)
                    if count > 0 { lost[.sendQueueFull, default: 0] += count }
                case .nowhere(let cause): lost[cause, default: 0] += 1
                }
            case .broadcast(let message, let options):
                let skipped = options.skipping.compactMap { peers[$0]?.hello?.stream }
                let skippedCount = options.skipping.isEmpty ? 0 : skippedListeners(options.skipping, on: channel)
                noteBroadcast(message, on: channel, to: max(0, listeners - skippedCount))
                if let frame = packer.add(message, excluding: deaf + skipped, sequence: &heads[channel]) {
                    publish(frame)
                }
            }
        }
        if let frame = packer.flush(sequence: &heads[channel]) { publish(frame) }
        for (cause, count) in lost { port.events.dropped(cause, count: count) }
        for dial in used { pump(dial) }
    }

    private func skippedListeners(_ addresses: [PeerAddress], on channel: Channel) -> Int {
        Set(addresses).count { peers[$0]?.channels.has(channel) == true }
    }

    /// It goes out once, and counts for each peer that it is for.
    private func noteBroadcast(_ message: [UInt8], on channel: Channel, to count: Int) {
        broadcasts[Int(channel.rawValue)].messages += count
        broadcasts[Int(channel.rawValue)].bytes += count * message.count
    }

    private func way(to address: PeerAddress, on channel: Channel) -> Way {
        if let peer = peers[address], !peer.channels.has(channel) { return .nowhere(.unsupported) }
        // Who could not be reached a moment ago is not dialled for each message.
        if dials[address] == nil, let backOff = backOffs[address], backOff.until > .now {
            return .nowhere(.unreachable)
        }
        guard let dial = dial(address) else { return .nowhere(.unreachable) }
        dial.lastUsed = .now
        return .link(dial)
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
