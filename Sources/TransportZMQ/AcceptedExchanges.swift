import Transport
import TransportKit

/// The exchanges that peers opened. Each keeps its place until its link and its user have done with it, so that the number
/// of places bounds what waits to be read. Confined to the owner thread.
///
/// A class, since a link that ends an exchange calls back while others are being looked at.
final class AcceptedExchanges {
    struct Entry {
        let stream: ExchangeStream
        let link: AcceptedLink
        /// The link has done with it.
        fileprivate var isOver = false
        /// Its user has done with it.
        fileprivate var isDropped = false
    }

    private let port: ZMQPort
    private var entries: [ObjectIdentifier: Entry] = [:]
    private var countByHost: [PeerAddress.Host: Int] = [:]

    init(port: ZMQPort) { self.port = port }

    var isEmpty: Bool { entries.isEmpty }

    /// The exchange of a pipe; `nil` when no peer opened it.
    subscript(pipe: ExchangePipe) -> Entry? { entries[ObjectIdentifier(pipe)] }

    /// Whether one more may come from there.
    func hasRoom(for host: PeerAddress.Host) -> Bool {
        entries.count < port.configuration.maxExchanges
            && countByHost[host, default: 0] < port.configuration.maxExchangesPerHost
    }

    /// A new exchange over a link, and its handle for whom waits for exchanges.
    func add(_ channel: Channel, over link: AcceptedLink) -> ExchangeStream {
        let pipe = ExchangeStream.makePipe(isOpen: true, owner: port.orders)
        let stream = ExchangeStream(pipe, on: channel)
        entries[ObjectIdentifier(pipe)] = Entry(stream: stream, link: link)
        countByHost[link.address.host, default: 0] += 1
        port.figures.publish(acceptedExchanges: entries.count)
        let exchange = PipeExchange(peer: link.address, pipe: pipe) { [weak orders = port.orders] in
            orders?.noteDropped(pipe)
        }
        port.inlets.deliver(exchange, on: channel)
        return stream
    }

    /// Its link has done with it; what arrived may still be read.
    func noteOver(_ stream: ExchangeStream) {
        entries[ObjectIdentifier(stream.pipe)]?.isOver = true
        release(stream.pipe)
    }

    /// Nobody holds it any more.
    func noteDropped(_ pipe: ExchangePipe) {
        entries[ObjectIdentifier(pipe)]?.isDropped = true
        release(pipe)
    }

    /// Frees its place when its link has done with it and nothing in it waits to be read, or nobody is left to read it.
    func release(_ pipe: ExchangePipe) {
        guard let entry = entries[ObjectIdentifier(pipe)], entry.isOver, entry.isDropped || pipe.tellOnceRead()
        else { return }
        entries[ObjectIdentifier(pipe)] = nil
        let host = entry.link.address.host
        let left = countByHost[host, default: 1] - 1
        countByHost[host] = left > 0 ? left : nil
        port.figures.publish(acceptedExchanges: entries.count)
    }
}
