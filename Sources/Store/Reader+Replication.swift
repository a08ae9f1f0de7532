internal import Replication

/// Answers for the replication engine. A row that was changed or removed since the index was read is taken as it is
/// now.
extension Reader {
    /// Rows of one bucket.
    struct Bucket {
        let number: UInt16
        let references: [Int64]
    }

    /// A row as read, with its digest.
    private struct Digested {
        let row: EncodedRow
        let keyHash: UInt64
        let rowHash: UInt64
        var entry: BucketDigests.Entry { BucketDigests.Entry(keyHash: keyHash, rowHash: rowHash) }
    }

    func digests(_ buckets: [Bucket], _ hasher: RowHasher) throws(StoreError) -> [BucketDigests] {
        try snapshot { () throws(StoreError) in
            var answer: [BucketDigests] = []
            for bucket in buckets {
                let entries = try rows(bucket, hasher).map(\.entry)
                answer.append(BucketDigests(bucket: bucket.number, entries: entries))
            }
            return answer
        }
    }

    /// `buckets` are those of `theirs`, in that order.
    func compare(
        _ theirs: [BucketDigests], _ buckets: [Bucket], _ hasher: RowHasher
    ) throws(StoreError) -> Comparison {
        try snapshot { () throws(StoreError) in
            var comparison = Comparison(rows: [], wanted: [])
            for (their, bucket) in zip(theirs, buckets) {
                let ours = try rows(bucket, hasher)
                let theirEntries = Set(their.entries)
                let ourEntries = Set(ours.map(\.entry))
                comparison.rows += ours.filter { !theirEntries.contains($0.entry) }.map(\.row)
                let wanted = their.entries.filter { !ourEntries.contains($0) }.map(\.keyHash)
                if !wanted.isEmpty { comparison.wanted.append(BucketWant(bucket: their.bucket, keyHashes: wanted)) }
            }
            return comparison
        }
    }

    /// `buckets` are those of `wants`, in that order.
    func rows(_ wants: [BucketWant], _ buckets: [Bucket], _ hasher: RowHasher) throws(StoreError) -> [EncodedRow] {
        try snapshot { () throws(StoreError) in
            var answer: [EncodedRow] = []
            for (want, bucket) in zip(wants, buckets) {
                let keyHashes = Set(want.keyHashes)
                answer += try rows(bucket, hasher).filter { keyHashes.contains($0.keyHash) }.map(\.row)
            }
            return answer
        }
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

    /// By the hash of the key.
    private func rows(_ bucket: Bucket, _ hasher: RowHasher) throws(StoreError) -> [Digested] {
        var rows: [Digested] = []
        rows.reserveCapacity(bucket.references.count)
        for reference in bucket.references {
            guard let row = try row(reference) else { continue }
            let digest = hasher.digest(row)
            // The id of a tombstone may stand for another key by now.
            guard digest.bucket == bucket.number else { continue }
            rows.append(Digested(row: row, keyHash: digest.keyHash, rowHash: digest.shortRowHash))
        }
        return rows.sorted { ($0.keyHash, $0.rowHash) < ($1.keyHash, $1.rowHash) }
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
