/// Carries a value that is bound to one thread to that thread.
///
/// `@unchecked Sendable`: given away once before the thread starts, taken once by the thread.
package final class Handover<Value>: @unchecked Sendable {
    private var value: Value?

    /// Gives `value` away.
    package init(_ value: consuming Value) { self.value = value }

    /// The value, once.
    package func take() -> Value {
        guard let value else { preconditionFailure("taken twice") }
        self.value = nil
        return value
    }
}
