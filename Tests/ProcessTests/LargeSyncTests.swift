import Foundation
import Testing

/// A new node gets a whole database. In the suite a small one, since these are debug builds; 100 MB with
/// `AUTO_CLUSTER_SYNC_DATABASE_MEGABYTES=100` and the release build as `AUTO_CLUSTER_SYNC`.
@Suite("Sync of a large database", .serialized)
struct LargeSyncTests {
    private static let megabytes =
        ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_DATABASE_MEGABYTES"].flatMap { Int($0) } ?? 20
    /// A todo with its key and time takes about 500 bytes.
    private static let rowCount = megabytes * 2_000
    /// Most that the memory of either node may rise, besides the index: SQLite's caches (8 MB for the writer, 2 MB for
    /// each reader), pages and messages on their way, and what allocators keep. Measured at 100 MB are 8 and 16 MB.
    private static let maxGrowthBytes = 24 << 20
    /// Of the index, each row; see "Limits" in the README. As arrays grow by doubling, twice that at worst.
    private static let indexBytesPerRow = 22

    @Test(
        "an older database is taken over and given to a new node, in bounded memory on both", .timeLimit(.minutes(10)),
        arguments: Transports.all, [0, 1])
    func newNode(transport: String, ownCount: Int) async throws {
        // The third stands alone: what an empty node takes that has nothing to do.
        let cluster = try TestCluster(3, transport: transport, seeds: { $0 == 2 ? [2] : [0, 1] }, joinTimeout: 0.5)
        try SQLiteFile(cluster.directory.appendingPathComponent("node-1.db").path).fill("a", Self.rowCount)
        // An empty node gets pages; one that has something compares bucket by bucket.
        if ownCount > 0 {
            try SQLiteFile(cluster.directory.appendingPathComponent("node-2.db").path).fill("b", ownCount)
        }
        try cluster.start(0)
        try cluster.start(2)
        try await cluster.ready(0, within: 300)
        try await cluster.ready(2)
        let (donor, idle) = (try cluster.process(0), try cluster.process(2).residentBytes)
        #expect(try await cluster[0].info().todo_count == Self.rowCount)
        let before = donor.residentBytes
        var (donorPeak, joinerPeak) = (0, 0)
        let start = ContinuousClock.now
        try cluster.start(1)
        let joiner = try cluster.process(1)
        try await cluster.eventually("the new node is ready, and both have the same", within: 300) {
            donorPeak = max(donorPeak, donor.residentBytes)
            joinerPeak = max(joinerPeak, joiner.residentBytes)
            guard await cluster[1].isReady else { return false }
            let infos = [try await cluster[0].info(), try await cluster[1].info()]
            return infos[0].fingerprint == infos[1].fingerprint
        }
        let time = ContinuousClock.now - start
        let infos = [try await cluster[0].info(), try await cluster[1].info()]
        #expect(infos[1].synced)
        #expect(infos[1].todo_count == Self.rowCount + ownCount)
        let growth = [donorPeak - before, joinerPeak - idle].map { $0 >> 10 }
        print(
            "\(transport), \(Self.rowCount) rows to \(ownCount) in \(time): donor \(before >> 10) KiB and \(growth[0]) more,",
            "joiner \(idle >> 10) KiB and \(growth[1]) more")
        #expect(donorPeak - before < Self.maxGrowthBytes, "the donor takes \(growth[0]) KiB more")
        let joinerLimit = Self.maxGrowthBytes + Self.indexBytesPerRow * Self.rowCount
        #expect(joinerPeak - idle < joinerLimit, "the new node takes \(growth[1]) KiB more")
    }
}

extension SQLiteFile {
    /// Makes a file as the program left it that this one replaces, with todos of 400 to 499 characters whose keys begin with
    /// `prefix`.
    fileprivate func fill(_ prefix: String, _ count: Int) throws {
        try run(Self.seedSchema)
        try run(
            """
            WITH RECURSIVE numbers(number) AS (VALUES (1) UNION ALL SELECT number + 1 FROM numbers WHERE number < \(count))
            INSERT INTO todos (extern_id, todo, completed, created_at)
              SELECT printf('\(prefix)-%08d', number), substr(hex(randomblob(250)), 1, 400 + number % 100), number % 3 = 0,
                     '2025-11-08 09:10:11'
              FROM numbers;
            """)
    }
}
