internal import class Foundation.NSLock

/// A value that is replaced while others use it: each takes the one that is there.
///
/// `@unchecked Sendable`: the value is touched under `lock` only.
package final class LockedBox<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var current: Value

    /// Holds `value` until another replaces it.
    package init(_ value: Value) { current = value }

    /// The one that is there now.
    package var value: Value {
        get { lock.withLock { current } }
        set { lock.withLock { current = newValue } }
    }
}
