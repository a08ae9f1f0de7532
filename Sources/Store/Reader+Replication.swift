internal import Replication

/// Answers for the replication engine. A row that was changed or removed since the index was read is taken as it is
/// now.
extension Reader {
    /// Rows of one bucket.
    struct Bucket {
        let number: UInt16
        let references: [Int64]
    }

    /// A row as read, with its digest. The row itself is there where the answer has room for it.
    private struct Digested {
        let entry: BucketDigests.Entry
        let place: RowPlace
        let row: EncodedRow?
    }

    func digests(
        _ buckets: [Bucket], _ limit: WalkLimit, _ hasher: RowHasher
    ) throws(StoreError) -> [BucketDigests] {
        try snapshot { () throws(StoreError) in
            var answer: [BucketDigests] = []
            var budget = WalkBudget(limit)
            for bucket in buckets where answer.isEmpty || !budget.isSpent {
                let entries = try rows(bucket, &budget, hasher, holdsRows: false).map(\.entry)
                answer.append(BucketDigests(bucket: bucket.number, entries: entries))
            }
            return answer
        }
    }

    /// `buckets` are the first of those of `theirs`, in that order.
    func compare(
        _ theirs: [BucketDigests], _ buckets: [Bucket], _ limit: WalkLimit, _ hasher: RowHasher
    ) throws(StoreError) -> Comparison {
        try snapshot { () throws(StoreError) in
            var comparison = Comparison(ours: RowBatch(), wanted: [])
            var budget = WalkBudget(limit)
            for (their, bucket) in zip(theirs, buckets) where comparison.ours.bucketCount == 0 || !budget.isSpent {
                let ours = try rows(bucket, in: their.span, &budget, hasher)
                let theirEntries = Set(their.entries)
                let ourEntries = Set(ours.map(\.entry))
                add(ours, to: &comparison.ours, &budget) { !theirEntries.contains($0.entry) }
                let wanted = their.entries.filter { !ourEntries.contains($0) }.map(\.keyHash)
                if !wanted.isEmpty { comparison.wanted.append(BucketWant(bucket: their.bucket, keyHashes: wanted)) }
            }
            return comparison
        }
    }

    /// `buckets` are the first of those of `wants`, in that order.
    func rows(
        _ wants: [BucketWant], _ buckets: [Bucket], _ limit: WalkLimit, _ hasher: RowHasher
    ) throws(StoreError) -> RowBatch {
        try snapshot { () throws(StoreError) in
            var batch = RowBatch()
            var budget = WalkBudget(limit)
            for (want, bucket) in zip(wants, buckets) where batch.bucketCount == 0 || !budget.isSpent {
                let keyHashes = Set(want.keyHashes)
                add(try rows(bucket, &budget, hasher), to: &batch, &budget) { keyHashes.contains($0.entry.keyHash) }
            }
            return batch
        }
    }

    func rows(at places: [RowPlace], _ limit: WalkLimit, _ hasher: RowHasher) throws(StoreError) -> RowBatch {
        try snapshot { () throws(StoreError) in
            var batch = RowBatch()
            var budget = WalkBudget(limit)
            for (index, place) in places.enumerated() {
                guard let row = try row(place.reference),
                    hasher.keyHash(row.key) == place.keyHash
                else { continue }
                guard budget.hold(row.bytes.count) || batch.rows.isEmpty else {
                    batch.rest = Array(places[index...])
                    break
                }
                batch.rows.append(row)
            }
            return batch
        }
    }

    /// What of a bucket belongs to the answer.
    private func add(
        _ rows: [Digested], to batch: inout RowBatch, _ budget: inout WalkBudget, _ isWanted: (Digested) -> Bool
    ) {
        for digested in rows {
            switch (isWanted(digested), digested.row) {
            case (true, let row?): batch.rows.append(row)
            case (true, nil): batch.rest.append(digested.place)
            case (false, let row): budget.release(row?.bytes.count ?? 0)
            }
        }
        batch.bucketCount += 1
    }

    /// Live rows and tombstones merged in key order.
    func page(after: ByteString?, maxBytes: Int) throws(StoreError) -> RowPage {
        try snapshot { () throws(StoreError) in
            defer {
                rowsFrom.reset()
                tombstonesFrom.reset()
            }
            try rowsFrom.bind(after?.string ?? "", at: 1)
            try tombstonesFrom.bind(after?.string ?? "", at: 1)
            var live = try nextRow(after)
            var dead = try nextTombstone(after)
            var rows: [EncodedRow] = []
            var bytes = 0
            while true {
                let isTombstone = Self.isTombstoneNext(live?.key, dead?.key)
                // Moved, not copied: what holds the row is filled anew below.
                guard let row = isTombstone ? dead.take() : live.take() else { break }
                rows.append(row)
                bytes += rows[rows.count - 1].bytes.count
                if bytes > maxBytes, rows.count > 1 {
                    rows.removeLast()
                    return RowPage(rows: rows, isLast: false)
                }
                if isTombstone { dead = try nextTombstone(nil) } else { live = try nextRow(nil) }
            }
            return RowPage(rows: rows, isLast: true)
        }
    }

    private static func isTombstoneNext(_ live: ByteString?, _ dead: ByteString?) -> Bool {
        guard let live, let dead else { return live == nil }
        return dead < live
    }

    /// The next row that other nodes may have and that has another key than `skipped`.
    private func nextRow(_ skipped: ByteString?) throws(StoreError) -> EncodedRow? {
        while try rowsFrom.step() {
            if let row = try rowsFrom.vouchedRow(isTombstone: false), row.key != skipped { return row }
        }
        return nil
    }

    private func nextTombstone(_ skipped: ByteString?) throws(StoreError) -> EncodedRow? {
        while try tombstonesFrom.step() {
            if let row = try tombstonesFrom.vouchedRow(isTombstone: true), row.key != skipped { return row }
        }
        return nil
    }

    /// By the hash of the key. All rows are read, and held as far as there is room.
    private func rows(
        _ bucket: Bucket, in span: ClosedRange<UInt64>? = nil, _ budget: inout WalkBudget, _ hasher: RowHasher,
        holdsRows: Bool = true
    ) throws(StoreError) -> [Digested] {
        var rows: [Digested] = []
        rows.reserveCapacity(bucket.references.count)
        for reference in bucket.references {
            guard let row = try row(reference) else { continue }
            let digest = hasher.digest(row)
            budget.noteRead(row.bytes.count)
            // The id of a tombstone may stand for another key by now.
            guard digest.bucket == bucket.number, span?.contains(digest.keyHash) ?? true else { continue }
            rows.append(
                Digested(
                    entry: .init(keyHash: digest.keyHash, rowHash: digest.shortRowHash),
                    place: RowPlace(keyHash: digest.keyHash, reference: reference),
                    row: holdsRows && budget.hold(row.bytes.count) ? row : nil))
        }
        return rows.sorted { ($0.entry.keyHash, $0.entry.rowHash) < ($1.entry.keyHash, $1.entry.rowHash) }
    }

    private func row(_ reference: Int64) throws(StoreError) -> EncodedRow? {
        if reference > 0 {
            defer { rowByID.reset() }
            try rowByID.bind(reference, at: 1)
            return try rowByID.step() ? try rowByID.vouchedRow(isTombstone: false) : nil
        }
        defer { tombstoneByID.reset() }
        try tombstoneByID.bind(-reference, at: 1)
        return try tombstoneByID.step() ? try tombstoneByID.vouchedRow(isTombstone: true) : nil
    }
}
