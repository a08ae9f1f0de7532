import Transport

/// Addresses that could not be reached, and when each may be dialled again.
struct BackOffTable {
    /// Time between two looks at who can be forgotten.
    static let forgetInterval: Duration = .seconds(30)

    private let maxCount: Int
    private var backOffs: [PeerAddress: BackOff] = [:]
    private var nextForgetting: ContinuousClock.Instant?

    /// `maxCount` bounds the addresses that are no peers.
    init(maxCount: Int) { self.maxCount = maxCount }

    /// When the address may be dialled again; `nil` when at once.
    func end(of address: PeerAddress) -> ContinuousClock.Instant? { backOffs[address]?.until }

    /// The address could not be reached. Beyond the bound an address that is no peer is not kept.
    mutating func noteFailure(of address: PeerAddress, isPeer: Bool) {
        let last = backOffs[address]
        guard isPeer || last != nil || backOffs.count < maxCount else { return }
        backOffs[address] = BackOff(after: last)
        if nextForgetting == nil { nextForgetting = .now + Self.forgetInterval }
    }

    /// The address was reached: the next failure is a first one.
    mutating func reset(_ address: PeerAddress) { backOffs[address] = nil }

    /// When `advance` has something to do.
    var nextDeadline: ContinuousClock.Instant? { nextForgetting }

    /// Forgets whom may be dialled again.
    mutating func advance(to now: ContinuousClock.Instant) {
        guard let due = nextForgetting, due <= now else { return }
        backOffs = backOffs.filter { $0.value.until > now }
        nextForgetting = backOffs.isEmpty ? nil : now + Self.forgetInterval
    }
}
