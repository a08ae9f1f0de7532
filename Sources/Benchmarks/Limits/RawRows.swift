internal import CRawLimits
internal import Replication
internal import Store
internal import Transport

/// Rows in the form of the C loops, made before the clock runs.
///
/// `@unchecked Sendable`: nothing changes after `init`.
final class RawRows: @unchecked Sendable {
    let base: UnsafeMutablePointer<rl_row>
    let count: Int
    private let bytes: UnsafeMutablePointer<CChar>
    /// More than a timestamp has.
    private static let timestampBytes = 64

    /// Live rows only.
    init(_ rows: [Row]) {
        count = rows.count
        base = .allocate(capacity: max(1, rows.count))
        let size = rows.reduce(0) { $0 + $1.key.utf8.count + ($1.text?.value.utf8.count ?? 0) + Self.timestampBytes }
        bytes = .allocate(capacity: max(1, size))
        var end = bytes
        func put(_ text: String) -> (UnsafePointer<CChar>, UInt32) {
            let start = end
            for byte in text.utf8 {
                end.initialize(to: CChar(bitPattern: byte))
                end += 1
            }
            return (UnsafePointer(start), UInt32(end - start))
        }
        for (index, row) in rows.enumerated() {
            guard case .created(let milliseconds) = row.presence.value, let text = row.text,
                let completed = row.completed
            else { preconditionFailure("a row that is not there") }
            var raw = rl_row()
            (raw.key, raw.key_bytes) = put(row.key.string)
            (raw.text, raw.text_bytes) = put(text.value.string)
            (raw.created_at, raw.created_at_bytes) = put(Timestamp.format(milliseconds))
            raw.completed = completed.value ? 1 : 0
            raw.presence_stamp = Self.stamp(row.presence.stamp)
            raw.text_stamp = Self.stamp(text.stamp)
            raw.completed_stamp = Self.stamp(completed.stamp)
            base.advanced(by: index).initialize(to: raw)
        }
    }

    deinit {
        base.deallocate()
        bytes.deallocate()
    }

    private static func stamp(_ stamp: Stamp) -> rl_stamp {
        rl_stamp(time: stamp.time.rawValue, origin: stamp.origin.rawValue)
    }
}
