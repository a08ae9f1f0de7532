/// A todo as replicas exchange it: a product of three registers, hence a lattice under `merged(with:)`.
///
/// Rules that hold for every row (`isValid`):
/// - no stamp is later than the year 9999;
/// - created: text and completed are there and were stamped no earlier than presence, since a create stamps all three;
/// - deleted: a register stamped earlier than the delete is gone. One stamped later is kept, though not shown, because a
///   create may still arrive whose text it is newer than.
///
/// With both rules, dropping what a delete supersedes commutes with merging: a create that beats the delete brings
/// registers that beat whatever was dropped.
package struct Row: Hashable, Sendable {
    /// Longest key that is stored or accepted, in bytes.
    package static let maxKeyBytes = 4 * 1024
    /// Longest text that is stored or accepted, in bytes.
    package static let maxTextBytes = 256 * 1024
    /// 0001-01-01 to 9999-12-31, what `created_at` can be written as.
    package static let createdRange: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    /// The end of the year 9999. Later stamps could not be followed by later ones for ever: such a row is not written and not
    /// taken in.
    package static let latestStampMilliseconds = createdRange.upperBound

    package let key: ByteString
    package var presence: Register<Presence>
    package var text: Register<ByteString>?
    package var completed: Register<Bool>?

    package init(
        key: ByteString, presence: Register<Presence>, text: Register<ByteString>?, completed: Register<Bool>?
    ) {
        self.key = key
        self.presence = presence
        self.text = text
        self.completed = completed
    }

    /// A new todo: one stamp for all three registers.
    package static func created(
        key: ByteString, text: ByteString, completed: Bool = false, atMilliseconds: Int64, stamp: Stamp
    ) -> Row {
        Row(
            key: key, presence: Register(.created(atMilliseconds: atMilliseconds), stamp),
            text: Register(text, stamp), completed: Register(completed, stamp))
    }

    /// A todo that is there. Reading rows is what a node does most, and generic registers are not made for their values in
    /// another module.
    package init(
        key: ByteString, createdAtMilliseconds: Int64, _ presence: Stamp, text: ByteString, _ textStamp: Stamp,
        completed: Bool, _ completedStamp: Stamp
    ) {
        self.key = key
        self.presence = Register(.created(atMilliseconds: createdAtMilliseconds), presence)
        self.text = Register(text, textStamp)
        self.completed = Register(completed, completedStamp)
    }

    package var isDeleted: Bool { presence.value == .deleted }

    /// The greatest stamp of the three.
    package var latestStamp: Stamp {
        max(presence.stamp, max(text?.stamp ?? presence.stamp, completed?.stamp ?? presence.stamp))
    }

    package var isValid: Bool {
        guard key.utf8.count <= Self.maxKeyBytes, text.map({ $0.value.utf8.count <= Self.maxTextBytes }) ?? true
        else { return false }
        guard latestStamp.time.milliseconds <= Self.latestStampMilliseconds else { return false }
        switch presence.value {
        case .created(let milliseconds):
            guard let text, let completed else { return false }
            return Self.createdRange.contains(milliseconds)
                && text.stamp >= presence.stamp && completed.stamp >= presence.stamp
        case .deleted:
            return (text?.stamp ?? presence.stamp) >= presence.stamp
                && (completed?.stamp ?? presence.stamp) >= presence.stamp
        }
    }

    /// The least row that holds what both hold. Both must be valid and have the same key; the result is valid.
    package func merged(with other: Row) -> Row {
        precondition(key == other.key, "merging rows of two keys")
        var row = Row(
            key: key, presence: presence.merged(with: other.presence),
            text: Self.merged(text, other.text), completed: Self.merged(completed, other.completed))
        row.dropSuperseded()
        return row
    }

    /// This row deleted at `stamp`, which must be later than all of its stamps.
    package func deleted(at stamp: Stamp) -> Row {
        var row = self
        row.presence = Register(.deleted, stamp)
        row.dropSuperseded()
        return row
    }

    private mutating func dropSuperseded() {
        guard isDeleted else { return }
        if let text, text.stamp < presence.stamp { self.text = nil }
        if let completed, completed.stamp < presence.stamp { self.completed = nil }
    }

    private static func merged<Value>(_ left: Register<Value>?, _ right: Register<Value>?) -> Register<Value>? {
        guard let left else { return right }
        guard let right else { return left }
        return left.merged(with: right)
    }
}
