internal import Cluster
internal import Replication
internal import Store
internal import Transport

/// Exchanges as the network sees them: they open, carry messages in order, and end.
extension World {
    /// How long a dial waits for a host that says nothing.
    private static let connectTimeout: Duration = .seconds(3)
    /// When the kernel tries again what a cut or a process that stands still holds up.
    private static let resendInterval: Duration = .milliseconds(200)
    private static let pausedInterval: Duration = .milliseconds(20)

    // MARK: - Opening

    func dial(_ id: ExchangeID, _ address: PeerAddress, from: Int) {
        guard nodes[from].process != nil else { return }
        exchangeCount += 1
        let to = SimulatedNode.index(address).flatMap { $0 < nodes.count ? $0 : nil } ?? from
        exchanges[exchangeCount] = SimulatedExchange(
            sides: [
                .init(node: from, epoch: nodes[from].epoch, id: id), .init(node: to, epoch: nodes[to].epoch),
            ])
        nodes[from].process?.exchanges[id] = (exchangeCount, 0)
        if id.channel == .membership { say("\(nodes[from].name) dials \(nodes[to].name)") }
        schedule(.exchange(.dialled(exchangeCount)), in: generator.duration(in: options.faults.delay) * 3)
    }

    func handle(_ event: ExchangeEvent) {
        switch event {
        case .dialled(let number): dialled(number)
        case .unanswered(let number): breakExchange(number, side: 0, seen: .noAnswer)
        case .message(let number, let side, let message): arrived(message, number, side)
        case .end(let number, let side): ended(number, side)
        }
    }

    private func dialled(_ number: Int) {
        guard var exchange = exchanges[number], let id = exchange.sides[0].id else { return }
        let (from, to) = (exchange.sides[0].node, exchange.sides[1].node)
        guard network.connects(from, to) else {
            return schedule(.exchange(.unanswered(number)), in: Self.connectTimeout)
        }
        guard let acceptor = nodes[to].process else { return breakExchange(number, side: 0, seen: .refused) }
        acceptor.acceptedCount += 1
        let acceptedID = ExchangeID.accepted(acceptor.acceptedCount, on: id.channel)
        exchange.sides[1] = .init(node: to, epoch: nodes[to].epoch, id: acceptedID)
        exchange.isOpen = true
        exchanges[number] = exchange
        acceptor.exchanges[acceptedID] = (number, 1)
        // The system of a process that stands still accepts; the process sees it when it goes on.
        feed(.accepted(acceptedID, from: nodes[from].address.with(port: 50_000)), to: to)
        feed(.exchange(id, .opened), to: from)
        settle(to)
        settle(from)
    }

    // MARK: - Steps of the cores

    func follow(_ step: ExchangeStep, _ id: ExchangeID, on index: Int) {
        guard let (number, side) = nodes[index].process?.exchanges[id] else { return }
        for message in step.messages {
            guard permits(message, on: id, number, of: index) else { return }
            transmit(message, number, from: side)
            feed(.exchange(id, .sent(byteCount: message.count)), to: index)
        }
        switch step.next {
        case .receive:
            exchanges[number]?.sides[side].isReceiving = true
            proceed(number, side)
        case .ask(.merge(let rows)): commit(.walkMerge(id, rows), on: index)
        case .ask(let question): ask(question, for: id, on: index)
        case .close: close(number, side)
        }
    }

    private func ask(_ question: WalkQuestion, for id: ExchangeID, on index: Int) {
        let node = nodes[index]
        do throws(StoreError) {
            feed(.exchange(id, .answered(try node.replica.answer(question, at: reading(node)))), to: index)
        } catch {
            noteFailure(error, of: index)
            feed(.exchange(id, .storeFailed), to: index)
        }
    }

    private func transmit(_ message: [UInt8], _ number: Int, from side: Int) {
        guard let exchange = exchanges[number], !exchange.isCut else { return }
        stats.exchangeBytes += message.count
        trace.note(3, UInt64(number), UInt64(side), now.nanoseconds)
        trace.note(message)
        let arrival = nextArrival(number, 1 - side)
        schedule(.exchange(.message(number, side: 1 - side, message)), at: arrival)
    }

    /// When what is sent now comes to this side: not before what was sent earlier.
    private func nextArrival(_ number: Int, _ side: Int) -> EngineInstant {
        var delay = generator.duration(in: options.faults.delay)
        if chance(options.faults.loss) { delay += .milliseconds(220) }
        let arrival = max(exchanges[number]?.sides[side].lastArrival ?? now, now + delay)
        exchanges[number]?.sides[side].lastArrival = arrival
        return arrival
    }

    /// The dialler's message goes nowhere, and these answers come in place of any.
    func answerFalsely(_ messages: [[UInt8]], _ number: Int) {
        exchanges[number]?.isCut = true
        for message in messages { schedule(.exchange(.message(number, side: 0, message)), at: nextArrival(number, 0)) }
    }

    // MARK: - Messages

    private func arrived(_ message: [UInt8], _ number: Int, _ side: Int) {
        if let again = delay(number, side) {
            return schedule(.exchange(.message(number, side: side, message)), in: again)
        }
        exchanges[number]?.sides[side].inbox.append(message)
        proceed(number, side)
    }

    private func ended(_ number: Int, _ side: Int) {
        if let again = delay(number, side) { return schedule(.exchange(.end(number, side: side)), in: again) }
        exchanges[number]?.sides[side].isAtEnd = true
        proceed(number, side)
    }

    /// How long until what has come may go further; `nil`: now. TCP tries again, and the core's patience ends it.
    private func delay(_ number: Int, _ side: Int) -> Duration? {
        guard let exchange = exchanges[number] else { return nil }
        let (own, other) = (exchange.sides[side], exchange.sides[1 - side])
        if !network.connects(other.node, own.node) { return Self.resendInterval }
        return nodes[own.node].epoch == own.epoch && nodes[own.node].isPausedNow ? Self.pausedInterval : nil
    }

    /// Hands over the next message where one is there and waited for.
    private func proceed(_ number: Int, _ side: Int) {
        guard let own = exchanges[number]?.sides[side], own.isReceiving, let id = own.id,
            nodes[own.node].epoch == own.epoch
        else { return }
        if own.inbox.isEmpty {
            guard own.isAtEnd else { return }
            exchanges[number]?.sides[side].isReceiving = false
            close(number, side)
        } else {
            exchanges[number]?.sides[side].isReceiving = false
            guard let message = exchanges[number]?.sides[side].inbox.removeFirst() else { return }
            feed(.exchange(id, .received(message)), to: own.node)
        }
        settle(own.node)
    }

    // MARK: - Ends

    /// One side is done. The other receives what was sent, and then the end.
    private func close(_ number: Int, _ side: Int) {
        guard let exchange = exchanges[number], !exchange.sides[side].isClosed, let id = exchange.sides[side].id else {
            return
        }
        exchanges[number]?.sides[side].isClosed = true
        let own = exchange.sides[side]
        if nodes[own.node].epoch == own.epoch {
            nodes[own.node].process?.exchanges[id] = nil
            feed(.exchange(id, .ended(nil)), to: own.node)
        }
        if exchange.sides[1 - side].isClosed || exchange.isCut {
            exchanges[number] = nil
        } else {
            schedule(.exchange(.end(number, side: 1 - side)), at: nextArrival(number, 1 - side))
        }
    }

    /// A core has lost its patience.
    func abandon(_ id: ExchangeID, on index: Int) {
        guard let (number, side) = nodes[index].process?.exchanges[id] else { return }
        // As a driver does it: what was sent still arrives, and then a proper end.
        if exchanges[number]?.isOpen == true {
            close(number, side)
        } else {
            breakExchange(number, side: side, seen: .closed)
        }
    }

    /// The connection is gone: this side sees `error`, the other one that it ended.
    func breakExchange(_ number: Int, side: Int, seen error: ExchangeError) {
        guard let exchange = exchanges.removeValue(forKey: number) else { return }
        for (place, own) in exchange.sides.enumerated() where !own.isClosed {
            guard let id = own.id, nodes[own.node].epoch == own.epoch, let process = nodes[own.node].process else {
                continue
            }
            process.exchanges[id] = nil
            feed(.exchange(id, .ended(place == side ? error : .closed)), to: own.node)
            settle(own.node)
        }
    }

    /// The process of `index` is gone.
    func breakExchanges(of index: Int) {
        for number in exchanges.keys.sorted() {
            guard let exchange = exchanges[number] else { continue }
            if let side = exchange.sides.firstIndex(where: { $0.node == index }) {
                breakExchange(number, side: side, seen: .closed)
            }
        }
    }
}
