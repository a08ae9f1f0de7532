internal import DequeModule
package import Transport
import TransportKit

/// What goes into which packet, and when it may go out.
extension Gossip {
    /// Packets that may go out at `now`, at most `limit`. Call until it gives none.
    package mutating func nextPackets(at now: EngineInstant, limit: Int) -> [Packet] {
        if now >= promptNewsEnd {
            promptNewsEnd = now + configuration.gossipInterval
            promptNewsLeft = configuration.maxPromptNews
        }
        if let round = nextRound, round <= now { runRound(at: now) }
        var packets: [Packet] = []
        while packets.count < limit, let packet = ready.popFirst() { packets.append(packet) }
        var heldBack: [PeerAddress] = []
        while packets.count < limit, let address = active.popFirst() {
            guard let due = destinations[address]?.nextDue else { continue }
            if isPaced(due, at: now) {
                heldBack.append(address)
                continue
            }
            // Taken out: changed in place, its queues would be copied for each packet.
            guard var destination = destinations.removeValue(forKey: address) else { continue }
            if let content = pack(for: &destination, at: now) {
                destination.nextDue = max(destination.nextDue, now) + configuration.packetInterval
                packets.append(Packet(destination: address, content: content))
            }
            destination.isActive = !destination.isIdle
            if destination.isActive { active.append(address) }
            destinations[address] = destination
        }
        for address in heldBack { active.append(address) }
        heldBackUntil = !heldBack.isEmpty && active.count == heldBack.count ? now + configuration.pacingPause : nil
        forgetIdleStrangers(keeping: packets.isEmpty ? 256 : Self.maxStrangers / 2)
        return packets
    }

    /// Token bucket in one instant (GCRA): a peer may run ahead of even spacing by `burstPackets`.
    private func isPaced(_ due: EngineInstant, at now: EngineInstant) -> Bool {
        due > now + configuration.packetInterval * (configuration.burstPackets - 1)
    }

    /// The next packet of what waits for a destination, filled up with queued broadcasts; `nil` when all that waited
    /// has been replaced or dropped.
    private mutating func pack(for destination: inout Destination, at now: EngineInstant) -> [UInt8]? {
        var packet = PacketSpace(capacity: configuration.packetContentBytes)
        var finished = PerChannel<[WaitingParts.Repetition]>(repeating: [])
        // Membership goes first, as probes must not queue behind data, but with half a packet while data waits, and
        // second where the packet before had no room for data.
        let hasReplication = destination.hasWaiting(.replication)
        var replicationParts = 0
        if destination.owesReplication {
            replicationParts += fill(&packet, from: &destination, .replication, share: .max, &finished)
        }
        let share = hasReplication ? configuration.packetContentBytes / 2 : .max
        fill(&packet, from: &destination, .membership, share: share, &finished)
        replicationParts += fill(&packet, from: &destination, .replication, share: .max, &finished)
        fill(&packet, from: &destination, .membership, share: .max, &finished)
        destination.owesReplication = replicationParts == 0 && destination.hasWaiting(.replication)
        guard packet.partCount > 0 else { return nil }
        piggyback(on: &packet, channels: destination.channels ?? [])
        putBack()
        for channel in Channel.allCases {
            for message in finished[channel] {
                queues[channel].add(
                    message.part, key: message.key, transmits: message.transmits,
                    isEverywhere: message.transmits >= peerCount(on: channel))
                if nextRound == nil { nextRound = now + configuration.gossipInterval }
            }
        }
        return packet.encoded()
    }

    /// Moves waiting parts into the packet while they fit and take no more than `share` bytes; at least one if it fits.
    /// Returns how many.
    @discardableResult
    private mutating func fill(
        _ packet: inout PacketSpace, from destination: inout Destination, _ channel: Channel, share: Int,
        _ finished: inout PerChannel<[WaitingParts.Repetition]>
    ) -> Int {
        var filledBytes = 0
        var filledCount = 0
        while let number = destination.waiting[channel].first {
            if let part = waitingParts[channel].part(number) {
                guard filledBytes == 0 || filledBytes + part.count <= share, packet.add(part) else { break }
                filledBytes += part.count
                filledCount += 1
                noteSent(part, on: channel)
                if let repetition = waitingParts[channel].release(number) {
                    finished[channel].append(repetition)
                }
            }
            _ = destination.waiting[channel].popFirst()
        }
        return filledCount
    }

    /// Fills the rest of a packet with queued broadcasts: membership first, but half the room while replication waits.
    private mutating func piggyback(on packet: inout PacketSpace, channels: Channels) {
        let takesMembership = channels.has(.membership) && !queues[.membership].isEmpty
        let takesReplication = channels.has(.replication) && !queues[.replication].isEmpty
        if takesMembership { piggyback(on: &packet, .membership, share: takesReplication ? packet.room / 2 : .max) }
        if takesReplication { piggyback(on: &packet, .replication, share: .max) }
        if takesMembership { piggyback(on: &packet, .membership, share: .max) }
    }

    private mutating func piggyback(on packet: inout PacketSpace, _ channel: Channel, share: Int) {
        var left = share
        while let part = queues[channel].take(atMost: min(left, packet.room)) {
            guard packet.add(part) else { return }
            left -= part.count
            noteSent(part, on: channel)
        }
    }

    private mutating func putBack() {
        for channel in Channel.allCases {
            queues[channel].putBack(limit: transmitLimit(peerCount: peerCount(on: channel)))
        }
    }

    /// One gossip round: queued broadcasts to a few random peers. A message goes to one peer once in a round.
    private mutating func runRound(at now: EngineInstant) {
        nextRound = nil
        var chosen: [PeerAddress] = []
        for channel in Channel.allCases where !queues[channel].isEmpty {
            // A queue without anybody to send to has outlived its peers.
            if peers[channel].isEmpty {
                queues[channel] = BroadcastQueue(maxBytes: configuration.maxBytes(for: channel))
            }
            for address in sample(configuration.gossipPeers, on: channel, skipping: chosen)
            where chosen.count < configuration.gossipPeers { chosen.append(address) }
        }
        for address in chosen {
            guard let channels = destinations[address]?.channels else { continue }
            for _ in 0..<configuration.gossipPacketsPerPeer {
                var packet = PacketSpace(capacity: configuration.packetContentBytes)
                piggyback(on: &packet, channels: channels)
                guard packet.partCount > 0 else { break }
                ready.append(Packet(destination: address, content: packet.encoded()))
                let due = destinations[address]?.nextDue ?? now
                destinations[address]?.nextDue = max(due, now) + configuration.packetInterval
            }
            putBack()
        }
        if queues.all.contains(where: { !$0.isEmpty }) { nextRound = now + configuration.gossipInterval }
    }

    /// Addresses that are not peers are remembered only while something waits for them, or briefly for pacing.
    mutating func forgetIdleStrangers(keeping limit: Int) {
        guard strangerCount > limit else { return }
        destinations = destinations.filter { $0.value.channels != nil || $0.value.isActive }
    }

    /// Remembered addresses that are not peers.
    var strangerCount: Int { destinations.count - peerAddressCount }
}
