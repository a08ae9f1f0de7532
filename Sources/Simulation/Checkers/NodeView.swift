internal import DequeModule
internal import Replication
internal import Transport

/// What a node has shown to its clients, and when: it forgets nothing of it.
///
/// One for each database of a node. What an operator throws away is shown by nobody any more.
struct NodeView {
    /// What a node had at one moment.
    struct Sample {
        var at: EngineInstant
        var rows: [ByteString: EncodedRow]
        var summary: TreeSummary
    }

    /// By key, what clients were shown last, or told that they have written since.
    private(set) var shown: [ByteString: EncodedRow] = [:]
    /// Clients have been shown something since the last sample.
    private var hasNews = false
    /// The oldest first.
    private var samples = Deque<Sample>()

    /// How a row is less than what was shown of it.
    enum Fault {
        case isGone
        /// It was shown as deleted, and is there again by nobody's doing.
        case isBack
        case isOlder
    }

    /// Clients see this row now, or nothing.
    mutating func show(_ key: ByteString, _ encoded: EncodedRow?) -> Fault? {
        defer {
            if let encoded, encoded != shown[key] {
                shown[key] = encoded
                hasNews = true
            }
        }
        return fault(key, encoded)
    }

    /// Clients see all of this now: what is less than before, in key order.
    mutating func showAll(_ sample: Sample) -> [(key: ByteString, fault: Fault)] {
        let isKnown = !hasNews && samples.last?.summary == sample.summary
        hasNews = false
        let faults = isKnown ? [] : shown.keys.compactMap { key in fault(key, sample.rows[key]).map { (key, $0) } }
        shown = sample.rows
        samples.append(sample)
        return faults.sorted { $0.0 < $1.0 }
    }

    private func fault(_ key: ByteString, _ encoded: EncodedRow?) -> Fault? {
        guard let last = shown[key], last != encoded else { return nil }
        guard let row = encoded?.row else { return .isGone }
        guard last.row.merged(with: row) != row else { return nil }
        return last.row.isDeleted && !row.isDeleted ? .isBack : .isOlder
    }

    /// The last sample from before `instant`; those before that one are not needed any more.
    mutating func sample(before instant: EngineInstant) -> Sample? {
        while samples.count > 1, samples[1].at <= instant { samples.removeFirst() }
        return samples.first.flatMap { $0.at <= instant ? $0 : nil }
    }
}
