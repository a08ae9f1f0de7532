internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Store

/// Which todos a client wants to see.
struct TodoList: Sendable {
    /// How many todos are read, encoded and sent at a time; a longer list costs no more memory than this.
    static let chunkCount = 256
    /// What a client may ask for at once. Its page is made before its head is sent, which names the next.
    static let maximumLimit: Int64 = 1000

    /// `nil`: all that there are.
    var limit: Int?
    var cursor: TodoCursor?
    var isCompleted: Bool?

    init(_ arguments: Arguments) {
        if case .integer(let limit) = arguments[Operation.Parameter.limit.name] { self.limit = Int(limit) }
        cursor = arguments.text(Operation.Parameter.cursor.name).flatMap { TodoCursor(text: $0) }
        if case .boolean(let value) = arguments[Operation.Parameter.completed.name] { isCompleted = value }
    }

    /// The path of the page behind `cursor`.
    func path(behind cursor: TodoCursor) -> String {
        var path = "\(Operation.listTodos.path)?cursor=\(cursor.text)"
        if let limit { path += "&limit=\(limit)" }
        if let isCompleted { path += "&completed=\(isCompleted)" }
        return path
    }
}

extension Operation.Parameter {
    static let limit = Self(
        "limit", in: .query, .integer(1...TodoList.maximumLimit).example(.number("100")),
        "So many todos at most; the `Link` header leads to the next page.")
    static let cursor = Self(
        "cursor", in: .query, .string(pattern: TodoCursor.pattern),
        "From the `Link` header of the page before, on this node.")
    static let completed = Self(
        "completed", in: .query, .boolean, "Only completed todos, or only open ones.")
}

extension TodoCursor {
    /// Both numbers with all their digits, so that each cursor has one text, and each text that fits is a cursor.
    static let pattern = Schema.Pattern(expression: "^[0-9a-f]{32}$") { TodoCursor(text: $0) != nil }

    init(after todo: Todo) { self.init(createdAtMilliseconds: todo.createdAtMilliseconds, id: todo.id) }

    init?(text: String) {
        let digits = text.utf8
        guard digits.count == 32,
            digits.allSatisfy({ ("0"..."9").contains(Unicode.Scalar($0)) || ("a"..."f").contains(Unicode.Scalar($0)) }),
            let time = UInt64(text.prefix(16), radix: 16), let id = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(createdAtMilliseconds: Int64(bitPattern: time), id: Int64(bitPattern: id))
    }

    var text: String {
        [UInt64(bitPattern: createdAtMilliseconds), UInt64(bitPattern: id)].map { number in
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }
}

/// Todos from a place in the list to its end, a chunk at a time, each read when it is wanted.
///
/// A todo that is created meanwhile is newer than the place that was reached, and does not show; none shows twice.
struct TodoChunks<Service: TodoService>: AsyncSequence, Sendable {
    let service: Service
    /// `limit` of them, or all that there are.
    let first: [Todo]
    let limit: Int
    let isCompleted: Bool?

    struct AsyncIterator: AsyncIteratorProtocol {
        let chunks: TodoChunks
        private var cursor: TodoCursor?
        private var isFirst = true

        init(chunks: TodoChunks) { self.chunks = chunks }

        mutating func next() async throws -> [Todo]? {
            var todos = chunks.first
            if !isFirst {
                guard let cursor else { return nil }
                todos = try await chunks.service.page(
                    after: cursor, limit: chunks.limit, isCompleted: chunks.isCompleted)
            }
            isFirst = false
            cursor = todos.count < chunks.limit ? nil : todos.last.map { TodoCursor(after: $0) }
            return todos
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: self) }
}

/// The JSON array of them, a chunk at a time.
struct TodoListText<Service: TodoService>: AsyncSequence, Sendable {
    let chunks: TodoChunks<Service>

    struct AsyncIterator: AsyncIteratorProtocol {
        private enum State { case atStart, inside, atEnd }

        private var chunks: TodoChunks<Service>.AsyncIterator
        private var state = State.atStart

        init(chunks: TodoChunks<Service>.AsyncIterator) { self.chunks = chunks }

        mutating func next() async throws -> ByteBuffer? {
            guard state != .atEnd else { return nil }
            var buffer = ByteBuffer()
            if state == .atStart { buffer.writeStaticString("[") }
            if let todos = try await chunks.next() {
                buffer.reserveCapacity(2 + todos.count * 200)
                if state == .inside, !todos.isEmpty { buffer.writeStaticString(",") }
                buffer.writeTodos(todos)
                state = .inside
            } else {
                buffer.writeStaticString("]")
                state = .atEnd
            }
            return buffer
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: chunks.makeAsyncIterator()) }
}
