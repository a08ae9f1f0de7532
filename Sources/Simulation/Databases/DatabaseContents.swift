internal import Replication
internal import Store

/// The rows of an SQLite file as somebody who looks into it sees them: read once, and again where something has changed.
struct DatabaseContents {
    private(set) var rows: [ByteString: EncodedRow] = [:]
    private(set) var summary = HashTree().summary
    private(set) var isRead = false
    /// They change by the node's own writes only.
    var isKept = true
    private var changed: Set<ByteString> = []

    /// The row may be another.
    mutating func noteChange(of key: ByteString) { changed.insert(key) }

    /// All may be others.
    mutating func forget() {
        isRead = false
        changed = []
    }

    /// What cannot be read stays as it was.
    mutating func refresh(_ store: SteppedStore?) {
        guard isRead, isKept else { return read(store) }
        for key in changed.sorted() {
            guard let found = try? store?.row(key: key) else { continue }
            rows[key] = EncodedRow(found)
        }
        changed = []
    }

    private mutating func read(_ store: SteppedStore?) {
        guard let store, case .page(let page)? = try? store.answer(.page(after: nil, maxBytes: .max)) else { return }
        rows = Dictionary(page.rows.map { ($0.key, $0) }) { _, last in last }
        summary = store.summary
        isRead = true
        changed = []
    }
}
