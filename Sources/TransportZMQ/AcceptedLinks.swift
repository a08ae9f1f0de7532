import Transport

/// The links that others make, by routing id and counted by host.
struct AcceptedLinks {
    private let maxCount: Int
    private var links: [[UInt8]: AcceptedLink] = [:]
    /// The link that something came from last: mostly the next frame is from it too.
    private var last: AcceptedLink?
    private var countByHost: [PeerAddress.Host: Int] = [:]

    init(maxCount: Int) { self.maxCount = maxCount }

    var isEmpty: Bool { links.isEmpty }
    var all: some Sequence<AcceptedLink> { links.values }

    /// Whether one more link may come from there: one host gets a quarter of all places.
    func hasRoom(for host: PeerAddress.Host) -> Bool {
        links.count < maxCount && countByHost[host, default: 0] < max(1, maxCount / 4)
    }

    /// Whose message begins with these bytes.
    mutating func sender(_ bytes: UnsafeRawBufferPointer) -> (id: [UInt8], link: AcceptedLink?) {
        if let link = last, link.id.elementsEqual(bytes) { return (link.id, link) }
        let id = Array(bytes)
        last = links[id]
        return (id, last)
    }

    mutating func insert(_ link: AcceptedLink) {
        guard links.updateValue(link, forKey: link.id) == nil else { return }
        countByHost[link.address.host, default: 0] += 1
    }

    /// `false` when it is not there.
    mutating func remove(_ link: AcceptedLink) -> Bool {
        guard links.removeValue(forKey: link.id) != nil else { return false }
        if last === link { last = nil }
        let left = countByHost[link.address.host, default: 1] - 1
        countByHost[link.address.host] = left > 0 ? left : nil
        return true
    }
}
