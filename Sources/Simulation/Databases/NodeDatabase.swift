internal import Cluster
internal import Membership
package import Replication
internal import Store
internal import Transport

/// What checkers see of a database.
package protocol Replica {
    /// By key, tombstones included.
    var rows: [ByteString: EncodedRow] { get }
    /// Root and count of the hash tree.
    var summary: TreeSummary { get }
}

extension Replica {
    /// Rows in key order.
    package var sortedRows: [EncodedRow] { rows.values.sorted { $0.key < $1.key } }

    /// A todo that is there and not deleted.
    package func visible(_ key: ByteString) -> Row? {
        guard let row = rows[key]?.row, !row.isDeleted else { return nil }
        return row
    }
}

/// What a database showed at one moment.
struct ReplicaContents: Replica {
    let rows: [ByteString: EncodedRow]
    let summary: TreeSummary

    init(_ replica: any Replica) {
        rows = replica.rows
        summary = replica.summary
    }
}

/// Which database simulated nodes have.
package enum StoreKind: String, Sendable, CaseIterable {
    /// A dictionary.
    case memory
    /// The store that ships, on a simulated disk.
    case sqlite
}

/// The database of one node: what a process finds, changes and leaves.
///
/// What is asked of it waits; then a transaction begins with some of that, and is made durable later.
protocol NodeDatabase: Replica, AnyObject {
    var nodeID: NodeID { get }
    /// What is wrong with its disk.
    var faults: DiskFaults { get set }

    /// A process starts. Gives the number of this start, greater than that of any before.
    func open(_ wall: WallReading, forgetsBound: Bool) throws(StoreError) -> UInt64
    /// Whom the cluster consisted of, as was saved.
    func knownMembers() -> [KnownMember]
    /// A question of a walk that changes nothing.
    func answer(_ question: WalkQuestion, at wall: WallReading) throws(StoreError) -> WalkAnswer
    /// A client reads a todo; the row may be none. `nil` where the read fails.
    func read(_ key: ByteString) -> FoundRow?
    /// Rows of local commits that are not told yet.
    var committed: BatchQueue<EncodedRow> { get }

    /// Waits for a transaction; or is done with at once, refused.
    func submit(_ work: DatabaseWork) -> DatabaseResult?
    /// Whether anything waits or is under way.
    var isBusy: Bool { get }
    /// `false` where nothing waits.
    func beginTransaction(_ size: TransactionSize) -> Bool
    /// Makes the transaction under way durable: what came of each of its works.
    func commitTransaction(at wall: WallReading) -> [DatabaseResult]

    /// The process is gone. Gives what may be in or not: nobody was told.
    func end(_ end: ProcessEnd, _ rest: LastCommit, at wall: WallReading) -> [DatabaseResult]
    /// One bit of its files changes. `false` where there are none.
    func flipBit() -> Bool
    /// One bit of a text changes. `false` where the files do not have it.
    func flipBit(ofText key: ByteString) -> Bool
    /// What is wrong with the files of the process that runs; `nil` for nothing.
    func integrityFault() -> String?
    /// An error in words that are the same in another run of the same seed.
    func words(for error: StoreError) -> String
    /// What a copy of its files holds now.
    func copy(seed: UInt64) -> any NodeDatabase
}

/// What a read has found.
struct FoundRow {
    var row: EncodedRow?
}

/// What a transaction is made of.
enum DatabaseWork {
    case write(ClientWrite)
    case merge(ReplicationEngine.MergeToken, [EncodedRow])
    /// Rows that a walk of the process has brought.
    case walkMerge(ExchangeID, [EncodedRow])
    case save([KnownMember])
}

/// What came of a work.
struct DatabaseResult {
    enum Outcome {
        /// The row after the write, and before it.
        case written(EncodedRow, before: Row?)
        /// There was nothing to write, or the condition refused it.
        case refused
        case merged(MergeOutcome)
        case saved
        case failed(StoreError)
    }

    var work: DatabaseWork
    var outcome: Outcome
    /// What a transaction that failed tried to write: it may be there.
    var attempts: [Row] = []
}

/// How much goes into one transaction.
struct TransactionSize: Sendable {
    var localRequests: Int
    var mergeRows: Int
}

/// How a process ends.
enum ProcessEnd: Sendable {
    /// It says farewell, writes what waits and closes the database.
    case closed
    /// It dies; the system writes what it was given.
    case killed
    /// The machine stops.
    case powerCut
}

/// What becomes of the transaction under way when a process ends.
enum LastCommit: Sendable {
    case notBegun
    case whole
    /// It ends after so many changes of files.
    case after(Int)
}

/// A write that a client has asked for.
struct ClientWrite: Sendable {
    var key: ByteString
    var kind: WriteKind
    /// It demands the version of the todo that the client has just read.
    var isConditional: Bool
    /// When the client asked.
    var askedAt: EngineInstant
}

/// What a client asks for.
package enum WriteKind: Sendable {
    case create(text: String)
    case update(text: String?, completed: Bool?)
    case delete
}
