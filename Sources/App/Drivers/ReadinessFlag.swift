internal import Synchronization

/// Set once, when the todo endpoints may answer; read at every request.
final class ReadinessFlag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
