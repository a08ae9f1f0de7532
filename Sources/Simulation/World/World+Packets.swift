internal import Cluster
internal import Transport

/// Packets on their way: lost, late, doubled and cut off as datagrams; held back and broken off as connections.
extension World {
    func transmit(_ packet: ModelPacket, from: Int) {
        guard let to = SimulatedNode.index(packet.destination), to < nodes.count else { return }
        stats.packets += 1
        stats.packetBytes += packet.content.count
        trace.note(UInt64(from), UInt64(to), now.nanoseconds)
        trace.note(packet.content)
        switch options.transport {
        case .udp: transmitDatagram(packet.content, from, to)
        case .zmq: transmitFrame(packet.content, from, to)
        }
    }

    private var pathDelay: Duration {
        var delay = generator.duration(in: options.faults.delay)
        if chance(options.faults.tailRate) { delay += generator.duration(in: .zero...options.faults.tail) }
        return delay
    }

    private func transmitDatagram(_ content: [UInt8], _ from: Int, _ to: Int) {
        guard network.passes(from, to), nodes[to].process != nil else { return }
        for _ in 0..<(chance(options.faults.duplication) ? 2 : 1) {
            if chance(options.faults.loss) {
                stats.lostPackets += 1
                continue
            }
            var content = content
            if chance(options.faults.corruption), Damage.strike(&content, using: &generator) {
                // The system drops it. What decoders make of it all the same is not to be a crash.
                stats.damagedPackets += 1
                Damage.decode(content)
                continue
            }
            schedule(.packet(content, from: from, to: to, epoch: nodes[to].epoch), in: pathDelay)
        }
    }

    /// A message arrives, or waits for a process that stands still.
    func deliver(_ content: [UInt8], from: Int, to: Int) {
        guard let process = nodes[to].process else { return }
        guard !process.isPaused else {
            // What a socket holds is bounded; beyond it the newest is lost.
            if process.unread.count < 4_096 {
                process.unread.append(.packet(content, from: from, to: to, epoch: nodes[to].epoch))
            }
            return
        }
        for (channel, arrival) in process.transport.receive(content, from: nodes[from].address) {
            switch channel {
            case .membership: feed(.arrived([arrival], on: .membership), to: to)
            case .replication: process.inbox.append(arrival)
            }
        }
        takeChanges(to)
        settle(to)
    }

    // MARK: Connections

    private func transmitFrame(_ content: [UInt8], _ from: Int, _ to: Int) {
        let place = network.place(from, to)
        guard case .up = network.connections[place].state, nodes[to].process != nil else {
            stats.lostPackets += 1
            // A message is what makes a link, so that the next one finds it.
            dial(from, to, in: pathDelay * 3)
            return
        }
        guard network.connects(from, to) else {
            if network.connections[place].held.count < Network.maxHeld {
                network.connections[place].held.append(content)
            } else {
                stats.lostPackets += 1
            }
            noteCut(from, to)
            return
        }
        sendFrame(content, from, to)
    }

    private func sendFrame(_ content: [UInt8], _ from: Int, _ to: Int) {
        let place = network.place(from, to)
        // What is lost or damaged comes again after the time TCP takes to notice.
        let isLost = chance(options.faults.loss) || chance(options.faults.corruption)
        let delay = pathDelay + (isLost ? .milliseconds(220) : .zero)
        let arrival = max(network.connections[place].lastArrival, now + delay)
        network.connections[place].lastArrival = arrival
        schedule(.packet(content, from: from, to: to, epoch: nodes[to].epoch), at: arrival)
    }

    /// Nothing passes: the heartbeats of the connection will notice.
    private func noteCut(_ from: Int, _ to: Int) {
        let place = network.place(from, to)
        guard network.connections[place].cutSince == nil else { return }
        network.connections[place].cutSince = now
        schedule(.connection(from: from, to: to), in: .milliseconds(200))
    }

    /// Connects to newcomers, both ways: a link for what is sent to them, a subscription to what they broadcast.
    func connectPeers(of index: Int, _ peers: [Peer]) {
        guard options.transport == .zmq else { return }
        for peer in peers {
            guard let peer = SimulatedNode.index(peer.address), peer < nodes.count else { continue }
            dial(index, peer, in: generator.duration(in: .milliseconds(1)...(.milliseconds(20))))
            dial(peer, index, in: generator.duration(in: .milliseconds(1)...(.milliseconds(20))))
        }
    }

    private func dial(_ from: Int, _ to: Int, in delay: Duration) {
        let place = network.place(from, to)
        guard case .down = network.connections[place].state, network.connections[place].changesAt <= now else { return }
        network.connections[place].changesAt = now + delay
        schedule(.connection(from: from, to: to), in: delay)
    }

    /// What is due for a connection: it comes about, is held up, or breaks.
    func proceedConnection(_ from: Int, _ to: Int) {
        let place = network.place(from, to)
        switch network.connections[place].state {
        case .down:
            guard nodes[from].process != nil, nodes[to].process != nil else { return }
            // A process that stands still has its connections made by the system.
            guard network.connects(from, to) else {
                network.connections[place].changesAt = now + .milliseconds(700)
                return schedule(.connection(from: from, to: to), in: .milliseconds(700))
            }
            network.connections[place].state = .up
            network.connections[place].lastArrival = now
            if nodes[from].process?.isPaused == false {
                feed(.connected, to: from)
                settle(from)
            }
        case .up:
            guard let since = network.connections[place].cutSince else { return }
            if network.connects(from, to) {
                let held = network.connections[place].held
                network.connections[place].held = []
                network.connections[place].cutSince = nil
                for content in held { sendFrame(content, from, to) }
            } else if now - since >= Network.heartbeatTimeout {
                breakConnection(from, to)
                dial(from, to, in: .milliseconds(700))
            } else {
                schedule(.connection(from: from, to: to), in: .milliseconds(200))
            }
        }
    }

    private func breakConnection(_ from: Int, _ to: Int) {
        stats.lostPackets += network.connections[network.place(from, to)].held.count
        network.connections[network.place(from, to)] = Network.Connection()
    }

    /// A process is gone, and its connections with it.
    func breakConnections(of index: Int) {
        guard options.transport == .zmq else { return }
        for other in nodes.indices {
            breakConnection(index, other)
            breakConnection(other, index)
        }
    }
}
