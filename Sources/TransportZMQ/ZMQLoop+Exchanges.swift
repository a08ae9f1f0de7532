import Transport

/// An exchange that a peer opened.
struct AcceptedExchange {
    let stream: ExchangeStream
    let link: Link
    /// The link has done with it.
    var isOver = false
    /// Its user has done with it.
    var isDropped = false
}

/// Exchanges over links, whoever made the link.
extension ZMQLoop {
    /// A task wants an exchange.
    func open(_ stream: ExchangeStream, with address: PeerAddress) {
        guard stream.isOpening else { return }
        guard let dial = dial(address) else { return stream.fail(.busy) }
        links[ObjectIdentifier(stream)] = dial
        dial.lastUsed = .now
        if dial.isUp {
            begin(stream, over: dial)
            pump(dial)
        } else {
            dial.waiting.append(stream)
        }
    }

    /// Asks the peer for the exchange.
    func begin(_ stream: ExchangeStream, over dial: Dial) {
        guard stream.isOpening else {
            links[ObjectIdentifier(stream)] = nil
            return
        }
        let number = dial.link.add(stream)
        dial.link.enqueue(.open(exchange: number, stream.channel))
    }

    /// A peer wants an exchange.
    func accept(_ number: UInt32, _ channel: Channel, over link: Link) {
        guard link.streams[number] == nil else { return link.reset(number, .closed) }
        let host = link.address.host
        guard openings.count < configuration.maxExchanges,
            exchangesByHost[host, default: 0] < configuration.maxExchangesPerHost
        else {
            port.events.refused(.tooManyExchanges, link.address)
            return link.enqueue(.reset(exchange: number, .busy))
        }
        let stream = ExchangeStream(channel: channel, isOpen: true) { [weak port] stream in port?.note(stream) }
        link.add(stream, number: number)
        openings[ObjectIdentifier(stream)] = AcceptedExchange(stream: stream, link: link)
        exchangesByHost[host, default: 0] += 1
        link.enqueue(.accepted(exchange: number))
        let exchange = ZMQExchange(peer: link.address, stream: stream) { [weak port] in port?.noteDropped(stream) }
        port.accepted[Int(channel.rawValue)].append([exchange])
    }

    /// An exchange that a peer opened is over on its link; what arrived may still be read.
    func noteOver(_ stream: ExchangeStream) {
        openings[ObjectIdentifier(stream)]?.isOver = true
        release(stream)
    }

    /// Nobody holds it any more.
    func noteDropped(_ stream: ExchangeStream) {
        openings[ObjectIdentifier(stream)]?.isDropped = true
        release(stream)
    }

    /// Its place is free when its link has done with it and nothing in it waits to be read, or nobody is left to read it:
    /// so the number of places bounds what waits.
    private func release(_ stream: ExchangeStream) {
        guard let opening = openings[ObjectIdentifier(stream)], opening.isOver,
            opening.isDropped || !stream.hasUnread
        else { return }
        openings[ObjectIdentifier(stream)] = nil
        let host = opening.link.address.host
        let left = exchangesByHost[host, default: 1] - 1
        exchangesByHost[host] = left > 0 ? left : nil
    }

    /// A task has sent, read or closed.
    func noteChange(of stream: ExchangeStream) {
        if let link = openings[ObjectIdentifier(stream)]?.link {
            link.note(stream)
            pump(link)
            release(stream)
        } else if let dial = links[ObjectIdentifier(stream)] {
            dial.lastUsed = .now
            if dial.isUp {
                dial.link.note(stream)
                pump(dial)
            } else if stream.state == .isOver {
                dial.waiting.removeAll { $0 === stream }
                links[ObjectIdentifier(stream)] = nil
            }
        }
    }

    /// Messages that mean the same on both ends of a link.
    func takeExchangeMessage(_ message: LinkMessage, from link: Link) {
        switch message {
        case .ping: break
        case .arrived(let bytes): link.received(arrived: bytes)
        case .data(let number, let endsMessage, let bytes):
            link.received(data: bytes, endsMessage: endsMessage, exchange: number)
        case .credit(let number, let bytes): link.received(credit: bytes, exchange: number)
        case .end(let number): link.receivedEnd(exchange: number)
        case .reset(let number, let reason): link.received(reset: reason, exchange: number)
        case .hello, .welcome, .refusal, .unicast, .unicasts, .subscribed, .open, .accepted:
            port.events.dropped(.malformed)
        }
    }

    func count(_ error: WireError) {
        switch error {
        case .malformed: port.events.dropped(.malformed)
        case .unsupported: port.events.dropped(.unsupported)
        }
    }
}
