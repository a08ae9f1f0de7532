internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// Mechanisms that are switched off: what a core wants done is left out, or goes wrong. The core knows nothing of it.
extension World {
    /// Whether an effect is carried out.
    func permits(_ effect: NodeCore.Effect, of index: Int) -> Bool {
        guard !options.without.isEmpty else { return true }
        switch effect {
        case .send(let message, .membership, _), .broadcast(let message, .membership, _):
            return permits(membership: message, of: index)
        case .broadcast(let message, .replication, let options):
            return permits(replication: message, options)
        case .dial(let id, let address): return permits(dial: id, address, of: index)
        default: return true
        }
    }

    private func permits(membership message: [UInt8], of index: Int) -> Bool {
        switch try? MemberlistCodec.decode(message) {
        case .indirectPing: !options.without.contains(.indirectProbes)
        case .alive(let body) where body.node == nodes[index].name && isServing(index):
            !options.without.contains(.refutation)
        default: true
        }
    }

    private func permits(replication message: [UInt8], _ broadcast: BroadcastOptions) -> Bool {
        // What is passed on is not for those who have it.
        if options.without.contains(.relays), !broadcast.skipping.isEmpty { return false }
        let isHeartbeat = ReplicationMessage.number(of: message[...]) == nil
        return !options.without.contains(isHeartbeat ? .heartbeats : .eagerBroadcast)
    }

    /// While a node starts, it has only its first donor to try.
    private func permits(dial id: ExchangeID, _ address: PeerAddress, of index: Int) -> Bool {
        guard options.without.contains(.failover), id.channel == .replication, let process = nodes[index].process,
            !process.core.isReady
        else { return true }
        let first = process.firstDonor ?? address
        process.firstDonor = first
        if first == address { return true }
        let epoch = nodes[index].epoch
        perform(in: .milliseconds(100)) { world in
            guard world.nodes[index].epoch == epoch else { return }
            world.feed(.exchange(id, .ended(.noAnswer)), to: index)
            world.settle(index)
        }
        return false
    }

    /// Whether a message of an exchange goes out. Else the exchange has come to something here.
    func permits(_ message: [UInt8], on id: ExchangeID, _ number: Int, of index: Int) -> Bool {
        guard !options.without.isEmpty, id.isDialled else { return true }
        switch id.channel {
        case .replication:
            let isOff =
                options.without.contains(.walks)
                || (options.without.contains(.handOver) && nodes[index].process?.isLeaving == true)
            guard isOff, case .open? = try? WalkMessage.decode(message) else { return true }
            answerFalsely(
                [.accepted(wallMilliseconds: 0), .done(isSynced: false)].map { (message: WalkMessage) in
                    message.encoded()
                },
                number)
            return true
        case .membership:
            let isOff =
                switch try? MemberlistCodec.decodeStream(message) {
                case .ping: options.without.contains(.indirectProbes)
                // Once a node is open, it joins only to find again whom it has lost.
                case .pushPull(let state):
                    state.isJoin && options.without.contains(.rejoining) && isServing(index)
                default: false
                }
            if isOff { breakExchange(number, side: 0, seen: .noAnswer) }
            return !isOff
        }
    }
}
