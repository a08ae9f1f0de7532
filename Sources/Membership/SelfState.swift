internal import Transport

/// This node as it shows itself to the others, and what it has answered to what they say of it.
struct SelfState: Sendable {
    /// What to do about the own identity at another address.
    enum AddressAnswer {
        case refuteNow
        case refuteAt(EngineInstant)
        /// An answer is planned already.
        case wait
    }

    let local: LocalMember
    /// How often this node had to contradict what was said of it, plus one.
    private(set) var incarnation: UInt32 = 1
    private let startedAt: EngineInstant
    private var leavingSince: EngineInstant?
    /// When this node last said that it does not live where somebody put it.
    private var addressRefutedAt: EngineInstant?
    /// The incarnation that is to be answered next.
    private var postponedRefutation: UInt32?
    private var reportedConflicts: [NameConflict] = []

    init(_ local: LocalMember, at now: EngineInstant) {
        self.local = local
        startedAt = now
    }

    var isLeaving: Bool { leavingSince != nil }

    mutating func leave(at now: EngineInstant) { leavingSince = now }

    /// As this node says it.
    var alive: AliveBody {
        AliveBody(incarnation: incarnation, node: local.name, address: local.address, meta: local.meta)
    }

    func member(at now: EngineInstant) -> Member {
        Member(
            name: local.name, nodeID: local.nodeID, address: local.address, tags: local.tags, incarnation: incarnation,
            status: isLeaving ? .leaving : .alive, isConfirmed: true, isReplaced: false,
            lastSeen: now,
            statusChangedAt: leavingSince ?? startedAt)
    }

    // MARK: - Refutations

    /// Whether to answer what is said of the incarnation `claimed`. Further away the others would not believe the answer,
    /// so that a single forged message could silence this node for good. On a stream that this node dialled, a restarted
    /// node learns how far it once was; should that be a lie, the others believe it when they dial (`Source.itself`).
    func isBelievable(_ claimed: UInt32, _ source: MembershipEngine.Source) -> Bool {
        claimed < MembershipEngine.maxIncarnation
            && (source >= .dialled || claimed <= incarnation + MembershipEngine.maxIncarnationStep)
    }

    /// Contradicts what was said of the incarnation `accused`.
    mutating func raiseIncarnation(above accused: UInt32) {
        incarnation = min(max(incarnation, accused), MembershipEngine.maxIncarnation - 1) + 1
    }

    /// Whether this node has ever said that it does not live where somebody put it.
    var hasRefutedAddress: Bool { addressRefutedAt != nil }

    /// Somebody put the incarnation `accused` of this node at another address. At most one answer a second.
    mutating func answerToAddress(_ accused: UInt32, at now: EngineInstant) -> AddressAnswer {
        if let last = addressRefutedAt {
            let next = last + MembershipEngine.addressRefutationInterval
            guard now >= next else {
                defer { postponedRefutation = max(postponedRefutation ?? 0, accused) }
                return postponedRefutation == nil ? .refuteAt(next) : .wait
            }
        }
        addressRefutedAt = now
        return .refuteNow
    }

    /// The instant of `refuteAt` has come. Returns the incarnation to contradict, if that is still needed.
    mutating func takePostponedRefutation(at now: EngineInstant) -> UInt32? {
        guard let accused = postponedRefutation else { return nil }
        postponedRefutation = nil
        guard !isLeaving, accused >= incarnation else { return nil }
        addressRefutedAt = now
        return accused
    }

    // MARK: - Names

    var reportedConflictCount: Int { reportedConflicts.count }

    /// A conflict over the own name.
    func conflict(with claimant: AliveBody) -> NameConflict {
        NameConflict(
            name: local.name, holder: .init(nodeID: local.nodeID, address: local.address),
            claimant: .init(nodeID: MemberTags(meta: claimant.meta)?.nodeID, address: claimant.address),
            isOwnName: true)
    }

    /// Notes a conflict over any name; `false` when this claimant was reported before.
    mutating func isFirstReport(of conflict: NameConflict) -> Bool {
        guard !reportedConflicts.contains(conflict) else { return false }
        if reportedConflicts.count >= MembershipEngine.maxReportedConflicts { reportedConflicts.removeFirst() }
        reportedConflicts.append(conflict)
        return true
    }
}
