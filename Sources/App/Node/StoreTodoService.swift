internal import Replication
internal import Store

/// The store as the REST API asks for it. Failures that a client can act on get their own error; the others stay what
/// they are, and become a 500 without their text.
struct StoreTodoService: TodoService {
    let store: Store

    func todo(id: Int64) async throws -> Todo? { try await translating { try await store.todo(id: id) } }

    func todo(externID: String) async throws -> Todo? {
        try await translating { try await store.todo(externID: externID) }
    }

    func create(externID: String, text: String) async throws -> CreateOutcome {
        try await translating { try await store.create(externID: externID, text: text) }
    }

    func update(
        _ address: TodoAddress, text: String?, isCompleted: Bool?, if condition: TodoCondition?
    ) async throws -> Todo? {
        try await translating {
            try await store.update(address, text: text, isCompleted: isCompleted, if: condition)
        }
    }

    func delete(_ address: TodoAddress, if condition: TodoCondition?) async throws -> Bool {
        try await translating { try await store.delete(address, if: condition) }
    }

    func page(after cursor: TodoCursor?, limit: Int, isCompleted: Bool?) async throws -> [Todo] {
        try await translating { try await store.page(after: cursor, limit: limit, isCompleted: isCompleted) }
    }

    /// With the node, since the ids in a list are its own.
    var version: String { "\(store.nodeID)-\(store.summary.fingerprint)" }

    private func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as StoreError {
            switch error {
            case .refused: throw TodoServiceError.conditionFailed
            case .diskFull: throw TodoServiceError.storageFull
            case .overloaded, .closed, .busy: throw TodoServiceError.unavailable
            case .cannotOpen, .notADatabase, .foreign, .newerVersion, .inUse, .invalidRow, .ioError, .corrupt,
                .tooLarge, .failed:
                throw error
            }
        }
    }
}
