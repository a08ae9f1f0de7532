internal import Replication
internal import Reports
internal import Runtime
internal import Store

/// What a large merge takes of memory.
extension StoreBenchmark {
    func measureMemory(in directory: String) async throws -> BenchmarkReport.Table {
        progress("memory")
        var table = BenchmarkReport.Table(
            "Memory of \(options.rows) rows into an empty database", subject: "how",
            columns: ["rows at once", "at most MB", "at the end MB", "beyond C, bytes a row"],
            note: """
                Growth of this process' resident memory (VmHWM, VmRSS) from just after the opening, heap trimmed, rows \
                that are made for the merge included: by batches they are made batch by batch. At the end the store is \
                open and idle, after a trim of the heap. SQLite's cache is 8 MB on both sides, and its shared memory for \
                the log counts too. Ours comes first, in a heap that nothing has used yet.
                """)
        let large = min(options.rows, 100_000)
        let batches = try await measure(
            directory + "/memory-batches.sqlite", count: options.rows, batch: Self.largeBatch)
        let raw = try await measureRaw(directory + "/memory-raw.sqlite", count: options.rows)
        let beyond = (batches.end - raw.end) / Double(options.rows)
        table.add("store, by batches", Self.figures(batches, batch: Self.largeBatch, beyondPerRow: beyond))
        let whole = try await measure(directory + "/memory-whole.sqlite", count: large, batch: large)
        table.add("store, one request", Self.figures(whole, batch: large, beyondPerRow: nil))
        table.add("C, by batches", Self.figures(raw, batch: Self.largeBatch, beyondPerRow: nil))
        return table
    }

    private static func figures(
        _ growth: ResidentMemory.Growth, batch: Int, beyondPerRow: Double?
    ) -> [Double?] {
        [Double(batch), growth.peak.map { $0 / 1e6 }, growth.end / 1e6, beyondPerRow]
    }

    private func measure(_ path: String, count: Int, batch: Int) async throws -> ResidentMemory.Growth {
        let store = try await DatabasePair.open(path)
        do {
            let memory = ResidentMemory()
            for start in stride(from: 0, to: count, by: batch) {
                try Task.checkCancellation()
                let rows = (start..<min(start + batch, count)).map { EncodedRow(SampleRows.row($0)) }
                _ = try await store.merge(rows)
            }
            let growth = memory.growth
            await store.close()
            return growth
        } catch {
            await store.close()
            throw error
        }
    }

    private func measureRaw(_ path: String, count: Int) async throws -> ResidentMemory.Growth {
        let raw = try await DatabasePair.makeRaw(path)
        return try await Blocking.run {
            let memory = ResidentMemory()
            for start in stride(from: 0, to: count, by: Self.largeBatch) {
                let rows = RawRows((start..<min(start + Self.largeBatch, count)).map { SampleRows.row($0) })
                try raw.merge(rows, 0..<rows.count, newsCount: rows.count)
            }
            return memory.growth
        }
    }
}
