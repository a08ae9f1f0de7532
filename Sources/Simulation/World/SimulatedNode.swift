internal import Cluster
internal import DequeModule
internal import Membership
internal import Replication
internal import Transport

/// One node: a machine with a clock and a database that outlive its processes.
final class SimulatedNode {
    let index: Int
    private var names: NodeNames
    let address: PeerAddress
    var replica: any NodeDatabase { didSet { view = NodeView() } }
    /// What clients have seen of it.
    var view = NodeView()
    var clock = NodeClock()
    var disk = SimulatedDisk()
    /// How its last hand-over ended.
    var handOver: HandOver.End?
    /// It leaves for good, and takes its database with it where others have everything.
    var isDeparting = false
    /// It runs on a copy of another node's database.
    var isCopy = false
    /// Its host is gone for good, and nobody takes its place.
    var isGone = false
    /// When its database, or some of it, was last thrown away.
    var discardedAt: EngineInstant?
    /// `nil` while no process runs.
    var process: SimulatedProcess?
    /// Processes so far: what was meant for an earlier one does not reach the next.
    var epoch = 0
    /// When it last went on after standing still, and after standing still for so long that it may be seen as failed.
    var lastPauseEnd: EngineInstant?
    /// Since when it has been standing still, but for moments.
    var stillSince: EngineInstant?
    var longPauseEnd: EngineInstant?

    init(index: Int, replica: any NodeDatabase) {
        self.index = index
        self.replica = replica
        names = NodeNames("node-\(index)")
        address = Self.address(index)
    }

    var name: String { names.current }

    /// Its database is as good as thrown away.
    var isLost: Bool { isGone || (isDeparting && (handOver ?? .safe) == .safe) }

    /// The id in its database; another where the database was replaced.
    var nodeID: NodeID { replica.nodeID }

    /// It has another name, or its first one again, from its next start on.
    func rename(isBack: Bool) {
        names.change(isBack: isBack)
    }

    /// Name and database go to the other's host, and its own come here.
    func swapContents(with other: SimulatedNode) {
        swap(&names, &other.names)
        swap(&replica, &other.replica)
        swap(&discardedAt, &other.discardedAt)
        swap(&disk, &other.disk)
        swap(&handOver, &other.handOver)
    }

    func fillDisk(_ isFull: Bool) {
        disk.isFull = isFull
        setFaults { $0.isFull = isFull }
    }

    func setFaults(_ change: (inout DiskFaults) -> Void) {
        change(&replica.faults)
        disk.isFailing = replica.faults.areFailing
    }

    var isPausedNow: Bool { process?.isPaused == true }

    /// Whether the same process has been running since then, if not without a pause.
    func hasRun(since instant: EngineInstant) -> Bool { process.map { $0.startedAt <= instant } ?? false }

    /// Whether its process has been running since then and never stood still.
    func hasBeenWell(since instant: EngineInstant) -> Bool {
        hasRun(since: instant) && !isPausedNow && (lastPauseEnd.map { $0 <= instant } ?? true)
    }

    static func address(_ index: Int) -> PeerAddress {
        PeerAddress(host: .v4(0x0a00_0001 + UInt32(index)), port: 7_946)
    }

    /// The node behind an address.
    static func index(_ address: PeerAddress) -> Int? {
        guard case .v4(let host) = address.host, host > 0x0a00_0000 else { return nil }
        return Int(host) - 0x0a00_0001
    }
}

/// The names of a node, which no other ever has.
struct NodeNames: Sendable {
    private let first: String
    private var count = 1
    private(set) var current: String

    init(_ first: String) {
        self.first = first
        current = first
    }

    mutating func change(isBack: Bool) {
        count += 1
        current = isBack && current != first ? first : "\(first)-\(count)"
    }
}

/// What a running process holds and loses when it dies. A class, so that its core is changed where it is: a copy that is
/// still held somewhere would be a copy of all the core knows at the next change.
final class SimulatedProcess {
    var core: NodeCore
    var transport: any TransportModel
    /// Inputs that wait while effects of an earlier one are carried out.
    var inputs = Deque<NodeCore.Input>()
    /// Inputs that came while it stood still.
    var held: [NodeCore.Input] = []
    var isBusy = false
    /// Its exchanges: their numbers in the world, and which side it is.
    var exchanges: [ExchangeID: (number: Int, side: Int)] = [:]
    var acceptedCount: UInt64 = 0
    /// Since when it stands still.
    var pausedSince: EngineInstant?
    /// What arrived meanwhile, in order.
    var unread: [World.Event] = []
    /// The next wake that is planned.
    var wakeAt: EngineInstant?
    /// Changes that wait until the core takes them.
    var inbox = Inbox()
    let startedAt: EngineInstant
    /// What commits have finished, and those who wait for it have not been told.
    var unanswered = Deque<[DatabaseResult]>()
    /// It takes no more writes, and goes.
    var isLeaving = false
    /// What its core holds the wall clock to.
    var clockHold = ClockHold.none
    /// Since when it serves clients.
    var openSince: EngineInstant?
    var hasServed = false
    /// When it last saw each member join, by name.
    var joinTimes: [String: EngineInstant] = [:]
    /// It found no row, and these of its seeds, running or not, had some.
    var fullSeeds: [Int] = []
    /// What all open nodes had when it started, those nodes, and those of them that it was told to look for.
    var promised: [ByteString: PromisedRow] = [:]
    var holders: [NodeID] = []
    var promisers: [Int] = []
    /// Where its first sync began, while that is the only donor it may try.
    var firstDonor: PeerAddress?
    var isPaused: Bool { pausedSince != nil }

    init(core: NodeCore, transport: any TransportModel, startedAt: EngineInstant) {
        self.core = core
        self.transport = transport
        self.startedAt = startedAt
    }

    /// Looks at the core where it is: a property of a class is copied to be read, and a core has many parts.
    func withCore<Answer>(_ look: (inout NodeCore) -> Answer) -> Answer { look(&core) }

    /// The first deadline of the two.
    func nextDeadline() -> EngineInstant? {
        func deadline(_ model: inout any TransportModel) -> EngineInstant? { model.nextDeadline }
        let earliest = withCore { $0.nextDeadline }
        return deadline(&transport).map { min($0, earliest) } ?? earliest
    }
}

/// The least that a row may be, register by register; `nil` where nothing is promised.
struct PromisedRow {
    var presence: Stamp
    var text: Stamp?
    var completed: Stamp?

    init(_ row: Row) {
        presence = row.presence.stamp
        text = row.text?.stamp
        completed = row.completed?.stamp
    }

    mutating func lower(to other: PromisedRow) {
        presence = min(presence, other.presence)
        text = text.flatMap { text in other.text.map { min(text, $0) } }
        completed = completed.flatMap { completed in other.completed.map { min(completed, $0) } }
    }

    /// A later delete ends what was promised of text and tick.
    func isHeld(by row: Row) -> Bool {
        guard row.presence.stamp >= presence else { return false }
        let end = row.isDeleted ? row.presence.stamp : nil
        func isThere(_ needed: Stamp?, _ held: Stamp?) -> Bool {
            guard let needed else { return true }
            return (held.map { $0 >= needed } ?? false) || (end.map { $0 >= needed } ?? false)
        }
        return isThere(text, row.text?.stamp) && isThere(completed, row.completed?.stamp)
    }
}

/// The disk under one node's database: commits one after the other, several writes in one commit.
struct SimulatedDisk {
    /// Something after which a process may die.
    enum Step { case commit, answer, tell }

    /// A transaction is under way, or about to begin.
    var isCommitting = false
    var isFull = false
    /// Calls fail now and then.
    var isFailing = false
    /// A bit of the database has changed since it was made.
    var isDamaged = false
    /// What it showed when its process ended, where it is damaged.
    var lastContents: (any Replica)?
    /// The database was found damaged, and the operator is on the way.
    var isSpoilt = false
    /// Until when each commit takes long.
    var slowUntil = EngineInstant.zero
    /// When it last became well again.
    var wellSince = EngineInstant.zero
    /// The process is to die after the next of these, in this way.
    var lastStep: (step: Step, end: ProcessEnd)?
}
