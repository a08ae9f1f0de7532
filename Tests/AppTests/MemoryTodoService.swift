import NIOConcurrencyHelpers
import Store

@testable import AutoClusterSync

/// The todos in memory, with the promises that the real store makes to the REST API.
struct MemoryTodoService: TodoService {
    private struct State {
        var todos: [Todo] = []
        var lastID: Int64 = 0
        var clock: Int64 = 1_767_323_045_678
        var failure: (any Error)?
        var pageCount = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Every call throws this, until it is `nil` again.
    var failure: (any Error)? {
        get { state.withLockedValue { $0.failure } }
        nonmutating set { state.withLockedValue { $0.failure = newValue } }
    }

    /// How often `page` was asked.
    var pageCount: Int { state.withLockedValue { $0.pageCount } }
    var todos: [Todo] { state.withLockedValue { $0.todos } }

    func todo(id: Int64) throws -> Todo? { try locked { $0.todos.first { $0.id == id } } }

    func todo(externID: String) throws -> Todo? { try locked { $0.todos.first { $0.externID.isSame(as: externID) } } }

    func create(externID: String, text: String) throws -> CreateOutcome {
        try locked { state in
            guard !state.todos.contains(where: { $0.externID.isSame(as: externID) }) else { return .exists }
            state.lastID += 1
            state.clock += 1
            let todo = Todo(
                id: state.lastID, externID: externID, text: text, isCompleted: false, createdAtMilliseconds: state.clock
            )
            state.todos.append(todo)
            return .created(todo)
        }
    }

    func update(_ address: TodoAddress, text: String?, isCompleted: Bool?, if condition: TodoCondition?) throws -> Todo?
    {
        try locked { state in
            guard let index = state.todos.firstIndex(where: { $0.isAt(address) }) else { return nil }
            let old = state.todos[index]
            if condition?.isMet(by: old) == false { throw StoreError.refused }
            state.todos[index] = Todo(
                id: old.id, externID: old.externID, text: text ?? old.text,
                isCompleted: isCompleted ?? old.isCompleted, createdAtMilliseconds: old.createdAtMilliseconds)
            return state.todos[index]
        }
    }

    func delete(_ address: TodoAddress, if condition: TodoCondition?) throws -> Bool {
        try locked { state in
            guard let index = state.todos.firstIndex(where: { $0.isAt(address) }) else { return false }
            if condition?.isMet(by: state.todos[index]) == false { throw StoreError.refused }
            state.todos.remove(at: index)
            return true
        }
    }

    /// Changes with every call that may change something.
    var version: String { state.withLockedValue { "\($0.clock)-\($0.todos.hashValue)" } }

    func page(after cursor: TodoCursor?, limit: Int, isCompleted: Bool?) throws -> [Todo] {
        try locked { state in
            state.pageCount += 1
            // They are kept in the order of creation, which is that of the clock and of the ids.
            let rest = state.todos.reversed().drop { todo in
                guard let cursor else { return false }
                return (todo.createdAtMilliseconds, todo.id) >= (cursor.createdAtMilliseconds, cursor.id)
            }
            return Array(rest.filter { isCompleted == nil || $0.isCompleted == isCompleted }.prefix(limit))
        }
    }

    /// Adds `count` todos at once.
    func fill(_ count: Int, text: String) {
        state.withLockedValue { state in
            for _ in 0..<count {
                state.lastID += 1
                state.clock += 1
                let todo = Todo(
                    id: state.lastID, externID: "filled-\(state.lastID)", text: text, isCompleted: false,
                    createdAtMilliseconds: state.clock)
                state.todos.append(todo)
            }
        }
    }

    private func locked<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        try state.withLockedValue { state in
            if let failure = state.failure { throw failure }
            return try body(&state)
        }
    }
}

extension Todo {
    fileprivate func isAt(_ address: TodoAddress) -> Bool {
        switch address {
        case .id(let id): self.id == id
        case .externID(let externID): self.externID.isSame(as: externID)
        }
    }
}
