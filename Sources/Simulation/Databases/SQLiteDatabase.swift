internal import CSQLite
internal import Membership
internal import Replication
internal import Runtime
internal import Store
internal import Transport

/// The store that ships, on a simulated disk: one process after the other opens the same files.
final class SQLiteDatabase: NodeDatabase {
    private let disk: VirtualDisk
    let nodeID: NodeID
    private let wall = LockedBox(WallReading(milliseconds: 0))
    private let checkpointPages: Int
    /// Each process finds rows without checksums, as if nobody had made any.
    private let forgetsChecksums: Bool
    private var store: SteppedStore?
    /// What requests were answered with, in that order.
    private var results: [DatabaseResult] = []
    private var contents = DatabaseContents()
    private let none = BatchQueue<EncodedRow>(maxCount: 1)

    /// `nodeID`: of the database that the first process makes, or that is on `disk`.
    init(nodeID: NodeID, on disk: VirtualDisk, checkpointPages: Int, forgetsChecksums: Bool = false) {
        self.forgetsChecksums = forgetsChecksums
        self.nodeID = nodeID
        self.disk = disk
        self.checkpointPages = checkpointPages
    }

    var faults: DiskFaults {
        get { disk.faults }
        set { disk.faults = newValue }
    }

    // MARK: Processes

    func open(_ wall: WallReading, forgetsBound: Bool) throws(StoreError) -> UInt64 {
        self.wall.value = wall
        contents.forget()
        contents.isKept = true
        if forgetsChecksums { forgetChecksums() }
        do throws(StoreError) {
            let store = try SteppedStore(configuration(disk))
            self.store = store
            return store.streamStart
        } catch {
            disk.endProcess()
            throw error
        }
    }

    private func forgetChecksums() {
        guard disk.take() else { return }
        defer { disk.giveBack(process: disk.process) }
        disk.undisturbed {
            var connection: OpaquePointer?
            sqlite3_open_v2(disk.path, &connection, SQLITE_OPEN_READWRITE, VirtualFileSystem.registeredName)
            sqlite3_exec(
                connection, "UPDATE stamps SET checksum = NULL; UPDATE tombstones SET checksum = NULL", nil, nil, nil)
            sqlite3_close(connection)
        }
    }

    private func configuration(_ disk: VirtualDisk) -> StoreConfiguration {
        var configuration = StoreConfiguration(path: disk.path)
        let (wall, nodeID) = (wall, nodeID)
        configuration.files = VirtualFiles()
        configuration.wallClock = { wall.value }
        configuration.newNodeID = { nodeID }
        configuration.checkpointPages = checkpointPages
        return configuration
    }

    func end(_ end: ProcessEnd, _ rest: LastCommit, at wall: WallReading) -> [DatabaseResult] {
        self.wall.value = wall
        contents.forget()
        if case .after(let changes) = rest { disk.endProcess(after: changes) }
        switch (end, rest) {
        case (.closed, _): store?.close()
        case (_, .notBegun): break
        case (_, .whole), (_, .after): store?.commitTransaction()
        }
        // Before its connections end: they would tidy up.
        if end == .powerCut { disk.cutPower() } else { disk.endProcess() }
        store = nil
        return takeResults()
    }

    func copy(seed: UInt64) -> any NodeDatabase {
        SQLiteDatabase(
            nodeID: nodeID, on: disk.copy(seed: seed), checkpointPages: checkpointPages,
            forgetsChecksums: forgetsChecksums)
    }

    // MARK: Reading

    func knownMembers() -> [KnownMember] { (try? store?.knownMembers()) ?? [] }

    func answer(_ question: WalkQuestion, at wall: WallReading) throws(StoreError) -> WalkAnswer {
        guard let store else { throw .closed }
        return try store.answer(question)
    }

    func read(_ key: ByteString) -> FoundRow? {
        guard let store else { return nil }
        do throws(StoreError) { return FoundRow(row: try store.row(key: key).map { EncodedRow($0) }) } catch {
            return nil
        }
    }

    var committed: BatchQueue<EncodedRow> { store?.committed ?? none }

    /// As they are in the file, whether a process runs or not; where it cannot be read, as they were last.
    var rows: [ByteString: EncodedRow] {
        disk.undisturbed {
            if store != nil || contents.isRead && contents.isKept {
                contents.refresh(store)
            } else {
                // A process of nobody's.
                let copy = disk.copy(seed: 0)
                withExtendedLifetime(copy) { contents.refresh(try? SteppedStore(configuration(copy))) }
            }
            return contents.rows
        }
    }

    var summary: TreeSummary {
        if let store { return store.summary }
        _ = rows
        return contents.summary
    }

    func flipBit() -> Bool {
        contents.isKept = false
        return disk.flipBit()
    }

    func flipBit(ofText key: ByteString) -> Bool {
        guard let text = rows[key]?.row.text?.value else { return false }
        contents.isKept = false
        return disk.flipLastBit(of: Array(text.utf8))
    }

    func integrityFault() -> String? {
        disk.undisturbed {
            contents.forget()
            do throws(StoreError) { return try store?.integrityFault() } catch { return words(for: error) }
        }
    }

    func words(for error: StoreError) -> String { VirtualDisk.unnumbered(error.description) }

    // MARK: Writing

    var isBusy: Bool { store?.isBusy == true }

    func beginTransaction(_ size: TransactionSize) -> Bool {
        store?.beginTransaction(maxLocalRequests: size.localRequests, maxMergeRows: size.mergeRows) ?? false
    }

    func commitTransaction(at wall: WallReading) -> [DatabaseResult] {
        self.wall.value = wall
        store?.commitTransaction()
        return takeResults()
    }

    func submit(_ work: DatabaseWork) -> DatabaseResult? {
        guard let store else { return DatabaseResult(work: work, outcome: .failed(.closed)) }
        switch work {
        case .write(let write): submit(write, to: store)
        case .merge(_, let rows), .walkMerge(_, let rows):
            store.merge(rows) { [unowned self] result in
                for row in rows { contents.noteChange(of: row.row.key) }
                switch result {
                case .success(let outcome): note(work, .merged(outcome))
                case .failure(let error): note(work, .failed(error))
                }
            }
        case .save(let members):
            store.saveKnownMembers(members) { [unowned self] result in
                switch result {
                case .success: note(work, .saved)
                case .failure(let error): note(work, .failed(error))
                }
            }
        }
        // Whatever is answered by now was let in by nobody.
        return takeResults().first
    }

    /// As the REST API does it.
    private func submit(_ write: ClientWrite, to store: SteppedStore) {
        let externID = write.key.string
        switch write.kind {
        case .create(let text):
            store.create(externID: externID, text: text) { [unowned self] in note(write, $0.map { _ in }, $1) }
        case .update(let text, let completed):
            store.update(externID: externID, text: text, isCompleted: completed, if: condition(of: write, store)) {
                [unowned self] in note(write, $0.map { _ in }, $1)
            }
        case .delete:
            store.delete(externID: externID, if: condition(of: write, store)) { [unowned self] in
                note(write, $0.map { _ in }, $1)
            }
        }
    }

    private func condition(of write: ClientWrite, _ store: SteppedStore) -> TodoCondition? {
        guard write.isConditional, let todo = try? store.todo(externID: write.key.string) else { return nil }
        return TodoCondition(demanded: .some([todo.version]))
    }

    private func note(
        _ write: ClientWrite, _ result: Result<Void, StoreError>, _ attempts: [SteppedStore.Attempt]
    ) {
        contents.noteChange(of: write.key)
        let work = DatabaseWork.write(write)
        switch result {
        case .success:
            guard let last = attempts.last, let after = last.after else { return note(work, .refused) }
            note(work, .written(after, before: last.before), attempts.dropLast())
        case .failure(.refused): note(work, .refused, attempts)
        case .failure(let error): note(work, .failed(error), attempts)
        }
    }

    private func note(
        _ work: DatabaseWork, _ outcome: DatabaseResult.Outcome, _ attempts: some Collection<SteppedStore.Attempt> = []
    ) {
        results.append(
            DatabaseResult(work: work, outcome: outcome, attempts: attempts.compactMap { $0.after?.row }))
    }

    private func takeResults() -> [DatabaseResult] {
        defer { results = [] }
        return results
    }
}
