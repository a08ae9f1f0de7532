import Replication
@testable import Simulation
@testable import Store
import Testing
import Transport

/// The disk under simulated databases, and the store on it.
@Suite("Simulated disks")
struct VirtualDiskTests {
    private let nodeID = NodeID(7)

    private func open(_ disk: VirtualDisk, checkpointPages: Int = 20) throws(StoreError) -> SteppedStore {
        var configuration = StoreConfiguration(path: disk.path)
        configuration.files = VirtualFiles()
        configuration.wallClock = { WallReading(milliseconds: NodeClock.epochMilliseconds) }
        configuration.newNodeID = { NodeID(7) }
        configuration.checkpointPages = checkpointPages
        return try SteppedStore(configuration)
    }

    /// `nil` where the write was acknowledged.
    private func create(_ key: String, _ text: String, in store: SteppedStore) -> StoreError? {
        var failure: StoreError?
        store.create(externID: key, text: text) { result, _ in
            if case .failure(let error) = result { failure = error }
        }
        _ = store.beginTransaction()
        store.commitTransaction()
        return failure
    }

    private func keys(of store: SteppedStore) throws -> Set<String> {
        guard case .page(let page) = try store.answer(.page(after: nil, maxBytes: .max)) else { return [] }
        return Set(page.rows.map(\.key.string))
    }

    // MARK: - Files

    @Test("What is synced survives a power cut; of what is not, any sectors do")
    func sectors() {
        let (old, new) = ([UInt8](repeating: 1, count: 4_096), [UInt8](repeating: 2, count: 8_192))
        var kept: Set<Int> = []
        for seed: UInt64 in 0..<200 {
            var generator = SeededGenerator(seed: seed)
            let file = VirtualFile()
            old.withUnsafeBytes { file.write($0, at: 0) }
            file.sync()
            new.withUnsafeBytes { file.write($0, at: 256) }
            #expect(file.content.count == 8_448 && file.content[300] == 2)
            file.cutPower(&generator)
            #expect(file.content.prefix(256).allSatisfy { $0 == 1 })
            #expect(file.content.count >= 4_096)
            // Each sector is of one kind behind where the write began.
            for start in stride(from: 512, to: file.content.count - 512, by: 512) {
                #expect(Set(file.content[start..<(start + 512)]).count == 1)
            }
            kept.insert(file.content.count { $0 == 2 })
        }
        #expect(kept.contains(0) && kept.contains(8_192) && kept.count > 20)
    }

    @Test("What was truncated or written and synced is so after a power cut")
    func synced() {
        var generator = SeededGenerator(seed: 1)
        let file = VirtualFile(content: [1, 2, 3, 4])
        file.truncate(to: 2)
        [UInt8]([9]).withUnsafeBytes { file.write($0, at: 3) }
        file.sync()
        file.cutPower(&generator)
        #expect(file.content == [1, 2, 0, 9])
    }

    // MARK: - The store

    @Test("A dead process leaves what it wrote, a power cut what was synced", arguments: [false, true])
    func ends(isPowerCut: Bool) throws {
        let disk = VirtualDisk(seed: 3)
        var store: SteppedStore? = try open(disk, checkpointPages: 4_000)
        #expect(store.map { create("synced", "x", in: $0) } == .some(nil))
        disk.faults.ignoresSync = true
        for number in 0..<50 { #expect(store.map { create("\(number)", "x", in: $0) } == .some(nil)) }
        if isPowerCut { disk.cutPower() } else { disk.endProcess() }
        store = nil
        disk.faults.ignoresSync = false
        let found = try keys(of: try open(disk))
        #expect(found.contains("synced"))
        #expect(isPowerCut ? found.count < 51 : found.count == 51)
    }

    @Test("Whenever a process or its machine stops, all that was acknowledged is there, and SQLite finds nothing wrong")
    func everyMoment() throws {
        for seed: UInt64 in 0..<60 {
            let disk = VirtualDisk(seed: seed)
            var acknowledged: Set<String> = []
            // Open, too, may be where it dies.
            for life in 0..<12 {
                disk.endProcess(after: 1 + (Int(seed) * 7 + life * 5) % 60)
                if let store = try? open(disk, checkpointPages: 4), let found = try? keys(of: store) {
                    #expect(found.isSuperset(of: acknowledged))
                    for number in 0..<8 {
                        let key = "\(life) \(number)"
                        guard create(key, String(repeating: "text", count: 100), in: store) == nil else { break }
                        acknowledged.insert(key)
                    }
                    if life % 3 == 0 { store.close() }
                    if life % 2 == 0 { disk.cutPower() } else { disk.endProcess() }
                } else {
                    disk.cutPower()
                }
            }
            let store = try open(disk)
            #expect(try keys(of: store).isSuperset(of: acknowledged), "seed \(seed)")
            #expect(try store.integrityFault() == nil, "seed \(seed)")
        }
    }

    @Test("On a full disk writes fail as such, and go on when there is room")
    func full() throws {
        let disk = VirtualDisk(seed: 1)
        let store = try open(disk)
        #expect(create("before", "x", in: store) == nil)
        disk.faults.isFull = true
        var failures = 0
        for number in 0..<20 {
            guard let error = create("\(number)", String(repeating: "x", count: 5_000), in: store) else { continue }
            #expect(error == .diskFull(path: disk.path))
            failures += 1
        }
        #expect(failures > 10)
        disk.faults.isFull = false
        #expect(create("after", "x", in: store) == nil)
        #expect(try keys(of: store).count == 22 - failures)
        #expect(try store.integrityFault() == nil)
    }

    @Test("A write whose sync fails is not acknowledged, and the store goes on after it")
    func failedSyncs() throws {
        for seed: UInt64 in 0..<30 {
            let disk = VirtualDisk(seed: seed)
            var store: SteppedStore? = try open(disk)
            var acknowledged: Set<String> = []
            disk.faults.failedSyncs = 0.3
            for number in 0..<40 {
                if let store, create("\(number)", "x", in: store) == nil { acknowledged.insert("\(number)") }
            }
            #expect(acknowledged.count < 40 && !acknowledged.isEmpty)
            disk.cutPower()
            store = nil
            disk.faults.failedSyncs = 0
            let again = try open(disk)
            #expect(try keys(of: again).isSuperset(of: acknowledged), "seed \(seed)")
            #expect(try again.integrityFault() == nil, "seed \(seed)")
        }
    }

    @Test("A file that was being made when the power went is made anew")
    func tornCreation() throws {
        for seed: UInt64 in 0..<200 {
            let disk = VirtualDisk(seed: seed)
            disk.endProcess(after: 1 + Int(seed % 40))
            _ = try? open(disk)
            disk.cutPower()
            #expect(throws: Never.self, "seed \(seed)") { try open(disk).close() }
        }
    }

    @Test(
        "Wherever a start on a file of version 1 ends, the file is of version 1 or of version 2, whole",
        arguments: [false, true])
    func interruptedMigration(isPowerCut: Bool) throws {
        let disk = VirtualDisk(seed: 1)
        let store = try open(disk)
        for number in 0..<60 { #expect(create("\(number)", String(repeating: "text", count: 50), in: store) == nil) }
        store.delete(externID: "7", if: nil) { _, _ in }
        #expect(store.beginTransaction())
        store.commitTransaction()
        let rows = try page(of: store)
        store.close()
        disk.endProcess()
        try look(at: disk) { try $0.execute(toVersionOne) }
        var versions: Set<Int64> = []
        var isThrough = false
        for changes in 1...200 where !isThrough {
            let copy = disk.copy(seed: UInt64(changes))
            copy.endProcess(after: changes)
            let process = copy.process
            let found = try? open(copy)
            isThrough = found != nil && copy.process == process
            if isPowerCut { copy.cutPower() } else { copy.endProcess() }
            try look(at: copy) { connection in
                let version = try connection.integer("PRAGMA user_version")
                versions.insert(version)
                let unsealed =
                    "(SELECT count(*) - count(checksum) FROM stamps)"
                    + " + (SELECT count(*) - count(checksum) FROM tombstones)"
                switch version {
                case 1:
                    #expect(try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'removals'") == 0)
                default: #expect(try connection.integer("SELECT \(unsealed)") == 0, "after \(changes) changes")
                }
                #expect(try connection.text("PRAGMA integrity_check") == "ok")
            }
            copy.endProcess()
            #expect(try page(of: try open(copy)) == rows)
        }
        #expect(isThrough && versions == [1, 2])
    }

    private func page(of store: SteppedStore) throws -> [Row] {
        guard case .page(let page) = try store.answer(.page(after: nil, maxBytes: .max)) else { return [] }
        return page.rows.map(\.row)
    }

    /// By a connection of nobody's.
    private func look(at disk: VirtualDisk, _ body: (borrowing Connection) throws -> Void) throws {
        let lock = try VirtualFiles().lock(database: disk.path)
        defer { lock.release() }
        try body(try Connection(path: disk.path, mode: .readWrite, vfsName: VirtualFiles().vfsName))
    }

    /// Makes a file of version 1 of one of version 2.
    private let toVersionOne = """
        DROP TRIGGER todos_inserted; DROP TRIGGER todos_updated; DROP TRIGGER todos_deleted; DROP TABLE removals;
        ALTER TABLE stamps DROP COLUMN checksum; ALTER TABLE stamps DROP COLUMN edits;
        ALTER TABLE tombstones DROP COLUMN checksum; PRAGMA user_version = 1;
        """

    @Test("A read that fails at the start is told as such, and the log stays")
    func failedReads() throws {
        for seed: UInt64 in 0..<100 {
            let disk = VirtualDisk(seed: seed)
            var store: SteppedStore? = try open(disk, checkpointPages: 4_000)
            for number in 0..<20 { #expect(store.map { create("\(number)", "x", in: $0) } == .some(nil)) }
            disk.endProcess()
            store = nil
            disk.faults.failedReads = 0.05
            do throws(StoreError) { _ = try open(disk) } catch {
                if case .ioError = error {} else { Issue.record("seed \(seed): \(error)") }
            }
            disk.endProcess()
            disk.faults.failedReads = 0
            #expect(try keys(of: try open(disk)).count == 20, "seed \(seed)")
        }
    }

    @Test("Two processes do not have one database")
    func taken() throws {
        let disk = VirtualDisk(seed: 1)
        let store = try open(disk)
        #expect(throws: StoreError.inUse(path: disk.path)) { try open(disk) }
        #expect(create("a", "x", in: store) == nil)
        store.close()
    }

    // MARK: - Clusters

    @Test("With the store that ships nothing acknowledged is lost under chaos", arguments: TransportKind.allCases)
    func chaos(transport: TransportKind) {
        for seed: UInt64 in 1...2 {
            let result = Run.result(of: plan(transport), seed: seed)
            #expect(result.violations.isEmpty, "seed \(seed): \(result.violations)")
            #expect(result.acknowledgedCount > 50 && result.healedAfter != nil)
        }
    }

    @Test("The same seed gives the same trace with the store that ships")
    func repeats() {
        let (first, second) = (Run.result(of: plan(.udp), seed: 7), Run.result(of: plan(.udp), seed: 7))
        #expect(first.fingerprint == second.fingerprint && first.stats == second.stats)
    }

    @Test("Two runs of one seed say the same, of failing disks too")
    func saysTheSame() {
        var plan = plan(.udp)
        plan.options.faults.badDisks = 10
        plan.options.faults.bitFlips = 4
        func lines() -> [String] {
            var lines: [String] = []
            _ = Run.result(of: plan, seed: 3) { lines.append($0) }
            return lines
        }
        let (first, second) = (lines(), lines())
        #expect(first == second && first.contains { $0.contains("todos.db") })
    }

    @Test("Where commits are acknowledged before they are synced, a power cut of all loses some")
    func withoutSync() {
        var plan = plan(.udp)
        plan.options.faults = Faults()
        plan.options.faults.powerLosses = 6
        plan.options.without = [.sync]
        #expect(Run.result(of: plan, seed: 1).violations.contains { $0.checker == .lostWrite })
        plan.options.without = []
        #expect(Run.result(of: plan, seed: 1).violations.isEmpty)
    }

    private func plan(_ transport: TransportKind) -> Run.Plan {
        var plan = Run.Plan()
        plan.options.faults = Faults.presets["chaos"] ?? Faults()
        plan.options.transport = transport
        plan.options.store = .sqlite
        plan.chaosTime = .seconds(30)
        return plan
    }
}
