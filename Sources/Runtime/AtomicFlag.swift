internal import Synchronization

/// Set once, read by many.
package final class AtomicFlag: Sendable {
    private let value = Atomic(false)

    /// Not set.
    package init() {}

    /// Whether anybody has set it.
    package var isSet: Bool { value.load(ordering: .acquiring) }

    /// May be called more than once.
    package func set() { value.store(true, ordering: .releasing) }
}
