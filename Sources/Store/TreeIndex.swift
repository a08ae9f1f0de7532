internal import class Foundation.NSLock
internal import Replication

/// The hash tree over all rows, and which rows are in which bucket: what the store keeps in memory, about 2 MB and some
/// 11 bytes a row. A value; never copy one for longer than it takes to read it.
struct TreeIndex {
    /// A row in the tree: its digest, and its reference (see `StoredRow`).
    struct Entry {
        let digest: RowDigest
        let reference: Int64
    }

    private(set) var tree = HashTree()
    /// References by bucket, in no order.
    private var buckets = [[Int64]](repeating: [], count: HashTree.bucketCount)
    /// Visible todos.
    private(set) var todoCount = 0

    mutating func insert(_ entry: Entry) {
        tree.insert(entry.digest)
        buckets[Int(entry.digest.bucket)].append(entry.reference)
        if entry.reference > 0 { todoCount += 1 }
    }

    /// `entry` must be in the tree.
    mutating func remove(_ entry: Entry) {
        let bucket = Int(entry.digest.bucket)
        guard let position = buckets[bucket].firstIndex(of: entry.reference) else {
            preconditionFailure("row \(entry.reference) is not in bucket \(bucket) of the tree")
        }
        tree.remove(entry.digest)
        let last = buckets[bucket].removeLast()
        if position < buckets[bucket].count { buckets[bucket][position] = last }
        if entry.reference > 0 { todoCount -= 1 }
    }

    /// In no order.
    func references(bucket: UInt16) -> [Int64] { buckets[Int(bucket)] }
}

/// The tree index and the counters, between the writer, who changes them after each commit, and everybody who reads.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class SharedIndex: @unchecked Sendable {
    private let lock = NSLock()
    private var index: TreeIndex
    private var statistics = CommitStatistics()
    private var changes: OutsideChanges
    private var spoilt = 0

    /// `changes`: what was found when the rows were read.
    init(_ index: TreeIndex, changes: OutsideChanges) {
        self.index = index
        self.changes = changes
    }

    func read<Value>(_ body: (TreeIndex) -> Value) -> Value { lock.withLock { body(index) } }

    var commitStatistics: CommitStatistics { lock.withLock { statistics } }
    var outsideChanges: OutsideChanges { lock.withLock { changes } }
    var spoiltCount: Int { lock.withLock { spoilt } }

    /// Notes a commit of these changes, in order.
    func apply(_ changes: [RowChange]) {
        lock.withLock {
            for change in changes {
                if let old = change.old { index.remove(old) }
                index.insert(change.new)
            }
            statistics.commitCount += 1
            statistics.rowCount += changes.count
            statistics.largestBatch = max(statistics.largestBatch, changes.count)
        }
    }

    /// Another program has written: everything was read anew.
    func replace(with loaded: Loader.Loaded) {
        lock.withLock {
            index = loaded.index
            changes += loaded.changes
            spoilt = loaded.spoiltCount
        }
    }
}

/// What one write does to the tree.
struct RowChange {
    let old: TreeIndex.Entry?
    let new: TreeIndex.Entry
}
