internal import Replication

/// Rows from a peer, merged in parts so that no transaction is long.
///
/// Not `Sendable`: handed over under the queue's lock, then used by the writer alone.
final class MergeRequest {
    let rows: [EncodedRow]
    let bytes: Int
    private let reply: Reply<MergeOutcome>
    private var outcome = MergeOutcome(isNews: [])
    /// Of the rows that are being written.
    private var part = MergeOutcome(isNews: [])
    private(set) var isFinished = false

    init(rows: [EncodedRow], reply: @escaping Reply<MergeOutcome>) {
        self.rows = rows
        self.reply = reply
        bytes = rows.reduce(0) { $0 + $1.bytes.count }
        outcome.isNews.reserveCapacity(rows.count)
    }

    /// Rows that are done.
    var doneCount: Int { outcome.isNews.count }

    /// Writes the rows of `range`, which follow those that are done. May be called again when the transaction was rolled back.
    func run(_ range: Range<Int>, _ writer: RowWriter) throws(StoreError) {
        part = MergeOutcome(isNews: [])
        part.isNews.reserveCapacity(range.count)
        let wall = writer.wallReading
        for index in range {
            switch try writer.merge(rows[index], at: wall) {
            case .news(let stored):
                part.isNews.append(true)
                part.noteNews(rows[index].row.latestStamp, over: stored, at: wall)
            case .known: part.isNews.append(false)
            case .passedOver:
                part.isNews.append(false)
                part.passedOverCount += 1
            }
        }
    }

    /// After the commit of a part; tells the outcome after the last.
    func answer() {
        outcome.isNews += part.isNews
        outcome.aheadCount += part.aheadCount
        outcome.passedOverCount += part.passedOverCount
        outcome.furthestAhead = [outcome.furthestAhead, part.furthestAhead].compactMap { $0 }.max()
        guard doneCount == rows.count else { return }
        isFinished = true
        reply(.success(outcome))
    }

    func fail(_ error: StoreError) {
        isFinished = true
        reply(.failure(error))
    }
}
