internal import HTTPTypes
internal import Hummingbird
internal import Store

/// Which todos a client wants to see.
struct TodoList: Sendable {
    /// How many todos of a list are kept at a time; a longer list costs no more memory than this.
    static let chunkCount = 256
    /// A page with longer texts than this is not kept whole either.
    static let lightBytes = 256 << 10
    /// How much is sent at a time: a client that takes this much within the stall timeout is not cut off.
    static let pieceBytes = 64 << 10
    /// What REST lets in is not longer as JSON, so that it fits into what is left of a piece.
    static let usualTodoBytes = 4 << 10
    /// What a client may ask for at once.
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
    static let limit = Operation.Parameter(
        "limit", in: .query, .integer(1...TodoList.maximumLimit).example(.number("100")),
        "So many todos at most; the `Link` header leads to the next page.")
    static let cursor = Operation.Parameter(
        "cursor", in: .query, .string(pattern: TodoCursor.pattern),
        "From the `Link` header of the page before, on this node.")
    static let completed = Operation.Parameter(
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
