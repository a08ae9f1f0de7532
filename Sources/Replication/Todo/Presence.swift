/// Whether a todo is there.
package enum Presence: ReplicatedValue {
    /// Milliseconds since 1970: what the REST API shows as `created_at`.
    case created(atMilliseconds: Int64)
    case deleted

    package func precedes(_ other: Self) -> Bool {
        switch (self, other) {
        case (.deleted, .created): return true
        case (.created, .deleted), (.deleted, .deleted): return false
        case (.created(let left), .created(let right)): return left < right
        }
    }
}
