internal import Replication
internal import Store

/// What the REST API asks of the store. Each call that changes something returns after the change is durable.
///
/// A protocol for the tests' sake alone, which count the reads of a list and have them fail. Errors are `StoreError`s; see
/// `Problem` for what a client is told of them.
protocol TodoService: Sendable {
    func todo(id: Int64) async throws -> Todo?
    func todo(externID: String) async throws -> Todo?
    /// Texts are within the limits of the API.
    func create(externID: String, text: String) async throws -> CreateOutcome
    /// Changes what is not `nil`; with both `nil` nothing. `nil`: there is no such todo. Throws `refused` when there is
    /// one that does not meet `condition` at that moment.
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

extension Store: TodoService {
    /// With the node, since the ids in a list are its own.
    var version: String { "\(nodeID)-\(summary.fingerprint)" }
}
