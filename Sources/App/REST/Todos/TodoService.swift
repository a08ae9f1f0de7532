internal import Store

/// What the REST API asks of the store. Each call that changes something returns after the change is durable.
///
/// Errors other than `TodoServiceError` become a 500 without their text.
protocol TodoService: Sendable {
    func todo(id: Int64) async throws -> Todo?
    func todo(externID: String) async throws -> Todo?
    /// Texts are within the limits of the API.
    func create(externID: String, text: String) async throws -> CreateOutcome
    /// Changes what is not `nil`; with both `nil` nothing. `nil`: there is no such todo. Throws `conditionFailed` when
    /// there is one and `condition` says no to it, as it is at that moment.
    func update(
        _ address: TodoAddress, text: String?, isCompleted: Bool?, if condition: TodoCondition?
    ) async throws -> Todo?
    /// `false`: there is no such todo. `condition` as for `update`.
    func delete(_ address: TodoAddress, if condition: TodoCondition?) async throws -> Bool
    /// Up to `limit` todos that come after `cursor`: newest `created_at` first, then the greater id first; only completed
    /// or only open ones if `isCompleted` is given.
    func page(after cursor: TodoCursor?, limit: Int, isCompleted: Bool?) async throws -> [Todo]
    /// Names the state of the list as this node shows it, another after every change. A list that is read after it holds
    /// that state at least. Printable ASCII without quotes. Cheap.
    var version: String { get }
}

/// Failures of the store that a client is told apart from others; no state was changed.
enum TodoServiceError: Error, Equatable {
    /// A write's condition said no: 412.
    case conditionFailed
    /// The disk is full: 507. Another node may have room.
    case storageFull
    /// Closing, or too busy: 503, and worth another try.
    case unavailable
}
