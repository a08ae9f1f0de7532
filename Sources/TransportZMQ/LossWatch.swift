/// When links of others are to be tried: the ROUTER does not say that a link is gone.
struct LossWatch {
    /// Time from the end of a connection to the look: libzmq tells first and then takes the connection away.
    static let lossDelay: Duration = .milliseconds(20)
    /// A link that is silent for this long is tried.
    static let silenceLimit: Duration = .seconds(30)
    /// Least time between two searches for want of room.
    static let searchInterval: Duration = .seconds(1)

    /// Which links are to be tried.
    struct Suspicion {
        fileprivate var endedDescriptors: Set<CInt> = []
        fileprivate var silentSince: ContinuousClock.Instant?

        func concerns(_ link: AcceptedLink) -> Bool {
            if endedDescriptors.contains(link.descriptor) { return true }
            return silentSince.map { link.link.lastHeard <= $0 } ?? false
        }
    }

    /// Connections that have ended since the last look.
    private var endedDescriptors: Set<CInt> = []
    private var lossCheck: ContinuousClock.Instant?
    private var silenceCheck: ContinuousClock.Instant?
    private var lastSearch: ContinuousClock.Instant?

    /// A connection has ended.
    mutating func noteEnd(of descriptor: CInt) {
        endedDescriptors.insert(descriptor)
        if lossCheck == nil { lossCheck = .now + Self.lossDelay }
    }

    /// There are links that may fall silent.
    mutating func noteLink() {
        if silenceCheck == nil { silenceCheck = .now + Self.silenceLimit }
    }

    /// Whether all links may be tried now for want of room.
    mutating func maySearch() -> Bool {
        let now = ContinuousClock.now
        if let last = lastSearch, now - last < Self.searchInterval { return false }
        lastSearch = now
        return true
    }

    /// When `takeSuspicion` has something to say.
    var nextDeadline: ContinuousClock.Instant? { earlier(lossCheck, silenceCheck) }

    /// Who is to be tried now; `nil` for nobody. Silence is looked for again only after the next `noteLink`.
    mutating func takeSuspicion(at now: ContinuousClock.Instant) -> Suspicion? {
        var suspicion = Suspicion()
        if let due = lossCheck, due <= now {
            lossCheck = nil
            swap(&suspicion.endedDescriptors, &endedDescriptors)
        }
        if let due = silenceCheck, due <= now {
            silenceCheck = nil
            suspicion.silentSince = now - Self.silenceLimit
        }
        return suspicion.endedDescriptors.isEmpty && suspicion.silentSince == nil ? nil : suspicion
    }
}
