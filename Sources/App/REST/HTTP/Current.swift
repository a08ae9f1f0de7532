internal import Foundation

/// A value that is replaced while others use it: each takes the one that is there.
///
/// `@unchecked Sendable`: the value is touched under `lock` only.
final class Current<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var current: Value

    init(_ value: Value) { current = value }

    var value: Value {
        get { lock.withLock { current } }
        set { lock.withLock { current = newValue } }
    }
}
