internal import class Foundation.NSLock

/// Counts the bytes of answers that were made and not taken yet, of all connections together: clients that take nothing
/// must not fill the memory, however many they are.
///
/// `@unchecked Sendable`: the count is touched under `lock` only.
final class UnsentBytes: @unchecked Sendable {
    /// Counting less at once costs more than it weighs.
    static let minimumBytes = 1 << 10

    private let maximum: Int
    private let lock = NSLock()
    private var count = 0

    /// - Parameter maximum: what lists may bring it to; the parts that are being made come on top.
    init(maximum: Int) { self.maximum = maximum }

    var current: Int { lock.withLock { count } }
    /// No list may go on.
    var isFull: Bool { current >= maximum }
    /// No list may begin: what is left is for those that have, which cannot be told of a failure any more but by an end.
    var isFullForNew: Bool { current >= maximum / 4 * 3 }

    func add(_ bytes: Int) { lock.withLock { count += bytes } }
    func remove(_ bytes: Int) { lock.withLock { count -= bytes } }
}
