internal import Transport

/// What the engine keeps of another member.
struct MemberRecord: Sendable {
    var name: String
    var address: PeerAddress
    /// As it came; `tags` and `nodeID` are what it says, read once rather than whenever members are listed.
    var meta: [UInt8]? {
        didSet { if meta != oldValue { (tags, nodeID) = Self.read(meta) } }
    }
    private(set) var tags: MemberTags
    private(set) var nodeID: NodeID?
    var versions: ProtocolVersions
    var incarnation: UInt32
    var status: MemberStatus = .alive
    /// It answered us, or a push/pull that we dialled.
    var isConfirmed = false
    /// Its cluster may not know of it yet, as far as we can tell: the others are told once it is confirmed.
    var isNews = true
    /// Pings it has left unanswered while unconfirmed.
    var unansweredPings = 0
    var lastSeen: EngineInstant?
    var statusChangedAt: EngineInstant
    /// Since when it has been here, as far as can be told: when it was confirmed, came back, or was started anew.
    var cameAt: EngineInstant
    /// When another name of its node came from another address, if it has answered nothing asked since.
    var replacedAt: EngineInstant?
    /// It holds the data of the cluster.
    var isReplica: Bool {
        nodeID != nil && (tags.values[MemberTags.Key.channels] ?? "").utf8.contains(UInt8(ascii: "r"))
    }
    fileprivate(set) var list = MemberTable.List.plain
    fileprivate(set) var place = 0

    init(_ alive: AliveBody, versions: ProtocolVersions, at now: EngineInstant) {
        name = alive.node
        address = alive.address
        meta = alive.meta
        (tags, nodeID) = Self.read(alive.meta)
        self.versions = versions
        incarnation = alive.incarnation
        statusChangedAt = now
        cameAt = now
    }

    private static func read(_ meta: [UInt8]?) -> (MemberTags, NodeID?) {
        let tags = MemberTags(meta: meta) ?? MemberTags()
        return (tags, tags.nodeID)
    }

    /// As its own alive would say it.
    var alive: AliveBody {
        AliveBody(incarnation: incarnation, node: name, address: address, meta: meta, versions: versions.bytes)
    }

    var member: Member {
        Member(
            name: name, nodeID: nodeID, address: address, tags: tags,
            incarnation: incarnation, status: status, isConfirmed: isConfirmed, isReplaced: replacedAt != nil,
            lastSeen: lastSeen,
            statusChangedAt: statusChangedAt)
    }
}

/// Every other member, by name and by living address, each in exactly one list. Slots are stable while a member is
/// known; all steps but shuffling and sorting take constant time.
struct MemberTable: Sendable {
    /// Where a member stands. The order within a list is arbitrary, but follows from the seed.
    enum List: Int, Sendable, CaseIterable {
        /// Confirmed, alive or suspect, in probe order.
        case live
        /// Unconfirmed and waiting for a ping, told by someone we have reason to believe.
        case vouched
        /// Unconfirmed and waiting for a ping, told by anyone.
        case plain
        /// Unconfirmed, a ping is on its way.
        case checking
        /// Confirmed once, then failed or left.
        case retired
    }

    private var records: [MemberRecord?] = []
    private var freeSlots: [Int] = []
    private var slotByName: [String: Int] = [:]
    private var slotByLivingAddress: [PeerAddress: Int] = [:]
    private var lists: [[Int]] = List.allCases.map { _ in [] }
    /// Index in `live` of the next member to probe.
    private var cursor = 0

    /// Up to this many live members the probe order is never shuffled.
    let fixedOrderLimit: Int

    init(fixedOrderLimit: Int) { self.fixedOrderLimit = fixedOrderLimit }

    var count: Int { slotByName.count }
    var liveCount: Int { lists[List.live.rawValue].count }
    var unconfirmedCount: Int { self[.vouched].count + self[.plain].count + self[.checking].count }
    var hasWaiting: Bool { !self[.vouched].isEmpty || !self[.plain].isEmpty }

    func count(of status: MemberStatus) -> Int {
        switch status {
        case .alive, .suspect:
            // Hearsay is alive until it is confirmed or forgotten.
            (lists[List.live.rawValue] + self[.vouched] + self[.plain] + self[.checking]).count {
                self[$0].status == status
            }
        case .failed, .left, .leaving: self[.retired].count { self[$0].status == status }
        }
    }

    /// Those confirmed, now or before they failed or left.
    func confirmedCount(of status: MemberStatus) -> Int {
        switch status {
        case .alive, .suspect: self[.live].count { self[$0].status == status }
        case .failed, .left, .leaving: self[.retired].count { self[$0].status == status }
        }
    }

    subscript(list: List) -> [Int] { lists[list.rawValue] }

    /// The member in a slot that came from this table and was not removed since.
    subscript(slot: Int) -> MemberRecord {
        _read {
            guard let record = records[slot] else { preconditionFailure("slot \(slot) is empty") }
            yield record
        }
    }

    func slot(named name: String) -> Int? { slotByName[name] }

    /// A confirmed, living member that is reached there.
    func livingSlot(at address: PeerAddress) -> Int? { slotByLivingAddress[address] }

    /// Changes a member in place. Not for what `move` and `setAddress` change.
    mutating func update(_ slot: Int, _ change: (inout MemberRecord) -> Void) {
        guard var record = records[slot] else { return }
        // Emptied first, so that the change happens in place instead of on a copy.
        records[slot] = nil
        change(&record)
        records[slot] = record
    }

    /// Marks every unconfirmed member so that its join is told to all when it is confirmed.
    mutating func tellOfUnconfirmed() {
        for list in [List.vouched, .plain, .checking] {
            for slot in self[list] where !self[slot].isNews { update(slot) { $0.isNews = true } }
        }
    }

    /// Adds a member whose name is not in the table; returns its slot.
    mutating func insert(_ record: MemberRecord, in list: List, using generator: inout SeededGenerator) -> Int {
        precondition(slotByName[record.name] == nil, "\(record.name) is known already")
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            records[slot] = record
        } else {
            slot = records.count
            records.append(record)
        }
        slotByName[record.name] = slot
        enter(slot, list, using: &generator)
        return slot
    }

    mutating func move(_ slot: Int, to list: List, using generator: inout SeededGenerator) {
        guard self[slot].list != list else { return }
        leave(slot)
        enter(slot, list, using: &generator)
    }

    /// Takes a new address over.
    mutating func setAddress(_ slot: Int, _ address: PeerAddress) {
        let record = self[slot]
        guard record.address != address else { return }
        if record.list == .live { forgetAddress(of: slot) }
        update(slot) { $0.address = address }
        if record.list == .live { slotByLivingAddress[address] = slot }
    }

    /// Removes a member and frees its slot.
    @discardableResult
    mutating func remove(_ slot: Int) -> MemberRecord {
        let record = self[slot]
        leave(slot)
        slotByName[record.name] = nil
        records[slot] = nil
        freeSlots.append(slot)
        return record
    }

    /// The next live member in probe order. At its end the order is shuffled (SWIM §4.3), so that after a full round
    /// each member was probed once.
    mutating func nextToProbe(using generator: inout SeededGenerator) -> Int? {
        guard liveCount > 0 else { return nil }
        if cursor >= liveCount {
            cursor = 0
            if liveCount > fixedOrderLimit { shuffleLive(using: &generator) }
        }
        defer { cursor += 1 }
        return lists[List.live.rawValue][cursor]
    }

    /// Up to `count` different live members for which `isWanted` holds, chosen at random.
    func randomLive(
        _ count: Int, using generator: inout SeededGenerator, where isWanted: (MemberRecord) -> Bool
    ) -> [Int] {
        let live = self[.live]
        if live.count <= 4 * count + 8 {
            return Array(live.filter { isWanted(self[$0]) }.shuffled(using: &generator).prefix(count))
        }
        var chosen: [Int] = []
        // Bounded, as in memberlist: in a cluster that is mostly unwanted fewer are found.
        for _ in 0..<(8 * count) where chosen.count < count {
            let slot = live[generator.index(below: live.count)]
            if !chosen.contains(slot), isWanted(self[slot]) { chosen.append(slot) }
        }
        return chosen
    }

    /// A random unconfirmed member that waits for its ping: the vouched ones first.
    func waiting(using generator: inout SeededGenerator) -> Int? {
        let candidates = self[.vouched].isEmpty ? self[.plain] : self[.vouched]
        return candidates.randomElement(using: &generator)
    }

    /// Slots of all members, sorted by name.
    var slotsByName: [Int] { slotByName.sorted { $0.key < $1.key }.map(\.value) }

    private mutating func shuffleLive(using generator: inout SeededGenerator) {
        lists[List.live.rawValue].shuffle(using: &generator)
        for index in 0..<liveCount { setPlace(lists[List.live.rawValue][index], index) }
    }

    private mutating func enter(_ slot: Int, _ list: List, using generator: inout SeededGenerator) {
        let place = lists[list.rawValue].count
        lists[list.rawValue].append(slot)
        update(slot) { record in
            record.list = list
            record.place = place
        }
        guard list == .live else { return }
        slotByLivingAddress[self[slot].address] = slot
        // At a random place among those not probed in this round yet (SWIM §4.3).
        let firstUnprobed = min(cursor, liveCount - 1)
        swapLive(firstUnprobed + generator.index(below: liveCount - firstUnprobed), liveCount - 1)
    }

    private mutating func leave(_ slot: Int) {
        let record = self[slot]
        var place = record.place
        if record.list == .live {
            forgetAddress(of: slot)
            if place < cursor {
                // Keep the probed ones before the cursor and the others behind it.
                cursor -= 1
                swapLive(place, cursor)
                place = cursor
            }
        }
        let last = lists[record.list.rawValue].removeLast()
        if last != slot {
            lists[record.list.rawValue][place] = last
            setPlace(last, place)
        }
    }

    private mutating func forgetAddress(of slot: Int) {
        let address = self[slot].address
        if slotByLivingAddress[address] == slot { slotByLivingAddress[address] = nil }
    }

    private mutating func swapLive(_ first: Int, _ second: Int) {
        guard first != second else { return }
        lists[List.live.rawValue].swapAt(first, second)
        setPlace(lists[List.live.rawValue][first], first)
        setPlace(lists[List.live.rawValue][second], second)
    }

    private mutating func setPlace(_ slot: Int, _ place: Int) { update(slot) { $0.place = place } }
}
