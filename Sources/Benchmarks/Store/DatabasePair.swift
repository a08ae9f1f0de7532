internal import Replication
internal import Runtime
internal import Store

/// The same rows twice: in a store, and in a database that a store has made for the C loops. What is done to one is done
/// to the other, in turns, so that both are alike at any time.
final class DatabasePair: Sendable {
    let store: Store
    let raw: SQLiteLimit
    let storePath: String
    let rawPath: String

    init(in directory: String, name: String) async throws {
        storePath = "\(directory)/\(name)-ours.sqlite"
        rawPath = "\(directory)/\(name)-raw.sqlite"
        store = try await Self.open(storePath)
        raw = try await Self.makeRaw(rawPath)
    }

    static func open(_ path: String) async throws -> Store {
        try await Blocking.run { try Store.open(StoreConfiguration(path: path)) }
    }

    /// Schema, marks and journal mode are the store's, since it has made the file.
    static func makeRaw(_ path: String) async throws -> SQLiteLimit {
        await (try open(path)).close()
        return try await Blocking.run { try SQLiteLimit(path: path) }
    }

    /// Merges `rows` on both sides, so many in a transaction. `isNews`: whether each is to change something.
    func merge(_ rows: [Row], batch: Int, isNews: Bool, oursFirst: Bool, into versus: inout Versus) async throws {
        try Task.checkCancellation()
        if oursFirst { try await mergeOurs(rows, batch, isNews, &versus.ours) }
        try await mergeRaw(rows, batch, isNews, &versus.limit)
        if !oursFirst { try await mergeOurs(rows, batch, isNews, &versus.ours) }
    }

    private func mergeOurs(_ rows: [Row], _ batch: Int, _ isNews: Bool, _ measured: inout Measured) async throws {
        // As the decoder hands them over: with their bytes.
        let batches = stride(from: 0, to: rows.count, by: batch).map {
            rows[$0..<min($0 + batch, rows.count)].map { EncodedRow($0) }
        }
        try await measured.time {
            for batch in batches {
                let outcome = try await store.merge(batch)
                precondition(outcome.isNews.allSatisfy { $0 == isNews }, "a merge that was otherwise than made")
            }
        }
        measured.count += rows.count
    }

    private func mergeRaw(_ rows: [Row], _ batch: Int, _ isNews: Bool, _ measured: inout Measured) async throws {
        let rows = RawRows(rows)
        measured += try await Blocking.run { [raw] in
            var measured = Measured()
            try measured.time {
                for start in stride(from: 0, to: rows.count, by: batch) {
                    let range = start..<min(start + batch, rows.count)
                    try raw.merge(rows, range, newsCount: isNews ? range.count : 0)
                }
            }
            measured.count = rows.count
            return measured
        }
    }

    func close() async {
        await store.close()
        raw.close()
    }

    /// After `close`: throws unless a store finds the same rows in both files.
    func verify() async throws {
        let ours = try await Self.summary(of: storePath)
        let theirs = try await Self.summary(of: rawPath)
        guard ours == theirs else {
            throw BenchmarkError.failed(
                "the C loop wrote other rows: \(theirs.count) and \(theirs.fingerprint), where the store has "
                    + "\(ours.count) and \(ours.fingerprint)")
        }
    }

    private static func summary(of path: String) async throws -> TreeSummary {
        let store = try await open(path)
        let summary = store.summary
        await store.close()
        return summary
    }
}
