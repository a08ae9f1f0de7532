import Transport

/// A link that another node made. Confined to the owner thread.
final class AcceptedLink {
    let link: Link
    /// What the ROUTER calls its connection.
    let id: [UInt8]
    /// Of its connection; another connection may have it later.
    let descriptor: CInt
    /// When the other side last said that it gets what is broadcast.
    private(set) var subscribedAt: ContinuousClock.Instant?
    /// Since when the ROUTER has had no room for it.
    private(set) var fullSince: ContinuousClock.Instant?

    init(_ link: Link, id: [UInt8], descriptor: CInt) {
        self.link = link
        self.id = id
        self.descriptor = descriptor
    }

    var address: PeerAddress { link.address }

    /// The other side gets what is broadcast. Whether that is news: a peer subscribes again no sooner than a subscription
    /// can be lost and made.
    func noteSubscribed(at now: ContinuousClock.Instant) -> Bool {
        defer { subscribedAt = now }
        return subscribedAt.map { now - $0 >= BackOff.range.lowerBound / 2 } ?? true
    }

    /// The ROUTER had room, or had none; then since when.
    @discardableResult
    func note(isFull: Bool) -> ContinuousClock.Instant? {
        fullSince = isFull ? fullSince ?? .now : nil
        return fullSince
    }
}
