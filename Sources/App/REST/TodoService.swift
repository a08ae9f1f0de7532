internal import Store

/// What the REST API asks of the store. Each call that changes something returns after the change is durable.
///
/// Errors other than `TodoServiceError` become a 500 without their text.
protocol TodoService: Sendable {
    func todo(id: Int64) async throws -> Todo?
    func todo(externID: String) async throws -> Todo?
    /// Texts are within the limits of the API.
    func create(externID: String, text: String) async throws -> CreateOutcome
    /// Changes what is not `nil`; with both `nil` nothing. `nil`: there is no such todo.
    func update(_ address: TodoAddress, text: String?, isCompleted: Bool?) async throws -> Todo?
    /// `false`: there is no such todo.
    func delete(_ address: TodoAddress) async throws -> Bool
    /// Up to `limit` todos that come after `cursor`: newest `created_at` first, then the greater id first.
    func page(after cursor: TodoCursor?, limit: Int) async throws -> [Todo]
}

/// Failures of the store that a client is told apart from others; no state was changed.
enum TodoServiceError: Error, Equatable {
    /// The disk is full: 507. Another node may have room.
    case storageFull
    /// Closing, or too busy: 503, and worth another try.
    case unavailable
}
