internal import Membership
internal import Replication
internal import Transport

/// Exchanges: push/pulls, pings over streams, changes too large to broadcast, and walks.
extension World {
    /// How long a dial waits for a host that says nothing.
    private static let connectTimeout: Duration = .seconds(3)
    /// How long membership, and a walk, wait for the next message.
    private static let answerLimit: Duration = .seconds(5)
    private static let stepLimit: Duration = .seconds(10)

    func open(_ purpose: SimulatedExchange.Purpose, from: Int, to address: PeerAddress) {
        guard nodes[from].process != nil else { return }
        exchangeCount += 1
        let number = exchangeCount
        let to = SimulatedNode.index(address).flatMap { $0 < nodes.count ? $0 : nil } ?? from
        exchanges[number] = SimulatedExchange(
            purpose: purpose, address: address,
            sides: [
                .init(node: from, epoch: nodes[from].epoch), .init(node: to, epoch: nodes[to].epoch),
            ])
        if case .walk = purpose { stats.walks += 1 }
        if case .pushPull = purpose { say("\(nodes[from].name) dials \(nodes[to].name)") }
        schedule(.exchange(.dialled(number)), in: generator.duration(in: options.faults.delay) * 3)
    }

    func handle(_ event: ExchangeEvent) {
        switch event {
        case .dialled(let number): dialled(number)
        case .message(let number, let side, let message): arrived(message, number, side)
        case .timeout(let number, let side, let step):
            guard let exchange = exchanges[number], exchange.sides[side].step == step else { return }
            breakExchange(number, side: side, .exchange(.noAnswer))
        }
    }

    // MARK: Opening

    private func dialled(_ number: Int) {
        guard var exchange = exchanges[number] else { return }
        let (from, to) = (exchange.sides[0].node, exchange.sides[1].node)
        guard network.connects(from, to) else {
            return schedule(.exchange(.timeout(number, side: 0, step: 0)), in: Self.connectTimeout)
        }
        guard nodes[to].process != nil else { return breakExchange(number, side: 0, .exchange(.refused)) }
        exchange.sides[1] = .init(node: to, epoch: nodes[to].epoch)
        exchange.isOpen = true
        exchanges[number] = exchange
        begin(number, exchange)
    }

    private func begin(_ number: Int, _ exchange: SimulatedExchange) {
        let from = exchange.sides[0].node
        switch exchange.purpose {
        case .pushPull(let isJoin):
            guard let state = nodes[from].process?.membership.localState(isJoin: isJoin) else { return }
            send(MemberlistCodec.encodeStream(.pushPull(state)), number, from: 0)
            receive(number, 0, within: Self.answerLimit)
        case .streamPing(let ping):
            send(MemberlistCodec.encodeStream(.ping(ping)), number, from: 0)
            receive(number, 0, within: Self.answerLimit)
        case .push(let message):
            send(message, number, from: 0)
            receive(number, 0, within: Self.stepLimit)
        case .walk:
            var walk = WalkInitiator(node: nodes[from].nodeID)
            let turn = walk.begin()
            exchanges[number]?.sides[0].walk = walk
            follow(turn, number, 0)
        }
        receive(number, 1, within: Self.stepLimit)
    }

    // MARK: Messages

    private func send(_ message: [UInt8], _ number: Int, from side: Int) {
        guard let exchange = exchanges[number] else { return }
        let other = 1 - side
        stats.exchangeBytes += message.count
        var delay = generator.duration(in: options.faults.delay)
        if chance(options.faults.loss) { delay += .milliseconds(220) }
        let arrival = max(exchange.sides[other].lastArrival, now + delay)
        exchanges[number]?.sides[other].lastArrival = arrival
        trace.note(3, UInt64(number), UInt64(side), now.nanoseconds)
        trace.note(message)
        schedule(.exchange(.message(number, side: other, message)), at: arrival)
    }

    private func arrived(_ message: [UInt8], _ number: Int, _ side: Int) {
        guard let exchange = exchanges[number] else { return }
        let (own, other) = (exchange.sides[side], exchange.sides[1 - side])
        guard network.connects(other.node, own.node) else {
            // TCP tries again; the reader's patience ends it.
            return schedule(.exchange(.message(number, side: side, message)), in: .milliseconds(200))
        }
        guard nodes[own.node].epoch == own.epoch else { return }
        if nodes[own.node].process?.isPaused == true {
            return schedule(.exchange(.message(number, side: side, message)), in: .milliseconds(20))
        }
        exchanges[number]?.sides[side].inbox.append(message)
        proceed(number, side)
    }

    private func receive(_ number: Int, _ side: Int, within limit: Duration) {
        guard exchanges[number] != nil else { return }
        exchanges[number]?.sides[side].isReceiving = true
        exchanges[number]?.sides[side].step += 1
        let step = exchanges[number]?.sides[side].step ?? 0
        if exchanges[number]?.sides[side].inbox.isEmpty == false { return proceed(number, side) }
        schedule(.exchange(.timeout(number, side: side, step: step)), in: limit)
    }

    /// Takes the next message where one is there and waited for.
    private func proceed(_ number: Int, _ side: Int) {
        guard let exchange = exchanges[number], exchange.sides[side].isReceiving, !exchange.sides[side].inbox.isEmpty
        else { return }
        exchanges[number]?.sides[side].isReceiving = false
        exchanges[number]?.sides[side].step += 1
        guard let message = exchanges[number]?.sides[side].inbox.removeFirst() else { return }
        if side == 0 { takeAnswer(message, number, exchange) } else { takeQuestion(message, number, exchange) }
    }

    private func takeAnswer(_ message: [UInt8], _ number: Int, _ exchange: SimulatedExchange) {
        let index = exchange.sides[0].node
        switch exchange.purpose {
        case .pushPull:
            guard case .pushPull(let remote)? = try? MemberlistCodec.decodeStream(message) else {
                return breakExchange(number, side: 0, .malformed)
            }
            exchanges[number] = nil
            let effects =
                nodes[index].process?.membership.merge(remote, from: exchange.address, weDialled: true, at: now).effects
            carryOut(effects ?? [], of: index)
        case .streamPing(let ping):
            exchanges[number] = nil
            guard case .ack(let ack)? = try? MemberlistCodec.decodeStream(message), ack.sequence == ping.sequence
            else { return }
            carryOut(
                nodes[index].process?.membership.streamPingAnswered(sequence: ack.sequence, at: now) ?? [], of: index)
        case .push: exchanges[number] = nil
        case .walk: takeWalkMessage(message, number, 0)
        }
        settle(index)
    }

    private func takeQuestion(_ message: [UInt8], _ number: Int, _ exchange: SimulatedExchange) {
        let index = exchange.sides[1].node
        switch exchange.purpose {
        case .pushPull: answerPushPull(message, number, exchange)
        case .streamPing:
            guard case .ping(let ping)? = try? MemberlistCodec.decodeStream(message),
                let ack = nodes[index].process?.membership.answer(toStreamPing: ping)
            else { return }
            send(MemberlistCodec.encodeStream(.ack(ack)), number, from: 1)
        case .push:
            guard case .push(let push)? = try? WalkMessage.decode(message) else { return }
            carryOut(nodes[index].process?.replication.receive(push, at: now) ?? [], of: index)
            let isSynced = nodes[index].process?.replication.isSynced ?? false
            send(WalkMessage.done(isSynced: isSynced).encoded(), number, from: 1)
        case .walk(let peer):
            if exchange.sides[1].walk == nil, !beginServing(number, peer) { return }
            takeWalkMessage(message, number, 1)
        }
        settle(index)
    }

    private func answerPushPull(_ message: [UInt8], _ number: Int, _ exchange: SimulatedExchange) {
        let index = exchange.sides[1].node
        guard case .pushPull(let remote)? = try? MemberlistCodec.decodeStream(message),
            let state = nodes[index].process?.membership.localState(isJoin: remote.isJoin)
        else { return breakExchange(number, side: 1, .malformed) }
        // Our state goes out before theirs is merged, so that they see what we believed of them.
        send(MemberlistCodec.encodeStream(.pushPull(state)), number, from: 1)
        let client = nodes[exchange.sides[0].node].address.with(port: 50_000)
        let effects = nodes[index].process?.membership.merge(remote, from: client, weDialled: false, at: now).effects
        carryOut(effects ?? [], of: index)
    }

    // MARK: Walks

    /// `false` when there are too many already.
    private func beginServing(_ number: Int, _ peer: NodeID) -> Bool {
        guard let exchange = exchanges[number] else { return false }
        let index = exchange.sides[1].node
        guard let process = nodes[index].process else { return false }
        guard process.servedWalks < options.replication.maxServedWalks else {
            send(WalkMessage.refusal(.busy).encoded(), number, from: 1)
            return false
        }
        nodes[index].process?.servedWalks += 1
        var walk = WalkResponder(node: nodes[index].nodeID, isSynced: process.replication.isSynced)
        _ = walk.begin()
        exchanges[number]?.sides[1].walk = walk
        exchanges[number]?.sides[1].countsAsServed = true
        return true
    }

    private func takeWalkMessage(_ message: [UInt8], _ number: Int, _ side: Int) {
        guard var walk = exchanges[number]?.sides[side].walk, let index = exchanges[number]?.sides[side].node else {
            return
        }
        do {
            let turn = try walk.received(WalkMessage.decode(message), latest: latest(nodes[index]))
            exchanges[number]?.sides[side].walk = walk
            follow(turn, number, side)
        } catch WalkFailure.refused(let refusal) {
            breakExchange(number, side: side, .refused(refusal))
        } catch {
            breakExchange(number, side: side, .malformed)
        }
    }

    /// The store has answered.
    func answered(_ answer: WalkAnswer, exchange number: Int, side: Int) {
        guard let exchange = exchanges[number], var walk = exchange.sides[side].walk else { return }
        if side == 0, case .walk(let peer) = exchange.purpose {
            nodes[exchange.sides[0].node].process?.replication.walkProgressed(with: peer, at: now)
        }
        do {
            let turn = try walk.answered(answer)
            exchanges[number]?.sides[side].walk = walk
            follow(turn, number, side)
        } catch {
            breakExchange(number, side: side, .malformed)
        }
    }

    private func follow(_ turn: WalkTurn, _ number: Int, _ side: Int) {
        for message in turn.messages { send(message, number, from: side) }
        guard let exchange = exchanges[number] else { return }
        let index = exchange.sides[side].node
        switch turn.next {
        case .receive: receive(number, side, within: Self.stepLimit)
        case .ask(.merge(let rows, _)): commit(.walkMerge(exchange: number, side: side, rows), on: index)
        case .ask(let question):
            let answer = nodes[index].replica.answer(question)
            answered(answer, exchange: number, side: side)
        case .finished(let outcome):
            guard side == 0, case .walk(let peer) = exchange.purpose else { return release(number) }
            exchanges[number] = nil
            release(exchange)
            let effects = nodes[index].process?.replication.walkFinished(
                with: peer, outcome, summary: summary(index), at: now)
            carryOut(effects ?? [], of: index)
            settle(index)
        }
    }

    // MARK: Ends

    /// One side gives up, or its process is gone: the other side sees the connection end.
    func breakExchange(_ number: Int, side: Int, _ error: WalkError) {
        guard let exchange = exchanges.removeValue(forKey: number) else { return }
        release(exchange)
        let index = exchange.sides[0].node
        guard nodes[index].epoch == exchange.sides[0].epoch, nodes[index].process != nil else { return }
        let seen = side == 0 ? error : .exchange(.closed)
        switch exchange.purpose {
        case .pushPull:
            say("\(nodes[index].name) did not reach \(exchange.address): \(seen)")
            let outcome: SeedJoiner.Outcome = seen == .exchange(.refused) ? .refused : .noAnswer
            carryOut(
                nodes[index].process?.membership.pushPullFailed(with: exchange.address, outcome, at: now) ?? [],
                of: index)
        case .walk(let peer):
            stats.failedWalks += 1
            carryOut(nodes[index].process?.replication.walkFailed(with: peer, seen, at: now) ?? [], of: index)
        case .streamPing, .push: break
        }
        settle(index)
    }

    /// The process of `index` is gone.
    func breakExchanges(of index: Int) {
        for number in exchanges.keys.sorted() {
            guard let exchange = exchanges[number] else { continue }
            if let side = exchange.sides.firstIndex(where: { $0.node == index }) {
                breakExchange(number, side: side, .exchange(.closed))
            }
        }
    }

    private func release(_ number: Int) {
        guard let exchange = exchanges[number] else { return }
        release(exchange)
        exchanges[number]?.sides[1].countsAsServed = false
    }

    private func release(_ exchange: SimulatedExchange) {
        let side = exchange.sides[1]
        guard side.countsAsServed, nodes[side.node].epoch == side.epoch else { return }
        nodes[side.node].process?.servedWalks -= 1
    }
}
