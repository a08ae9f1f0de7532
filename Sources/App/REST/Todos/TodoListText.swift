internal import Hummingbird
internal import NIOCore
internal import Store

/// The JSON array of a list, made as it is sent: what its client has not taken yet is one piece of text and one chunk of
/// todos.
///
/// Without a limit a chunk is read when it is wanted. A todo that is created meanwhile is newer than the place that was
/// reached, and does not show; none shows twice. With one the page is read whole, for the link to the next; of a heavy page the
/// places are kept, and its todos are read again when it is their turn. What came between them meanwhile does not show.
///
/// `@unchecked Sendable`: for one task at a time, first the one that answers, which then sends it.
final class TodoListText<Service: TodoService>: AsyncSequence, AsyncIteratorProtocol, @unchecked Sendable {
    private enum State { case atStart, inside, atEnd }

    private let list: TodoList
    private let service: Service
    private let room: ListRoom
    private let isWanted: @Sendable () -> Bool
    private var state = State.atStart
    private var isFirstTodo = true
    private var todos: [Todo] = []
    /// Of the todo that is shown next.
    private var index = 0
    /// Where to read on; `nil`: there is no more.
    private var cursor: TodoCursor?
    /// Of a heavy page: the places of todos behind the first chunk, in the order of the list.
    private var places: [TodoCursor]?
    private var madePiece: ByteBuffer?
    /// Of `todos`, and of them with the piece that was made last.
    private var chunkBytes = 0
    private var heldBytes = 0

    /// - Parameter isWanted: whether there still is a client; asked before anything is read or made.
    init(_ list: TodoList, _ service: Service, _ room: ListRoom, isWanted: @escaping @Sendable () -> Bool) {
        self.list = list
        self.service = service
        self.room = room
        self.isWanted = isWanted
    }

    deinit { room.unsent.remove(heldBytes) }

    /// Reads and makes the beginning, so that a failure can still be told as one. The place behind which the next page
    /// begins, if there is one.
    func begin() async throws -> TodoCursor? {
        var next: TodoCursor?
        if let limit = list.limit {
            // One more than is shown tells whether there is more.
            try await read(after: list.cursor, limit + 1)
            if todos.count > limit {
                todos.removeLast()
                next = todos.last.map { TodoCursor(after: $0) }
            }
            if todos.count > TodoList.chunkCount, heldBytes > TodoList.lightBytes { keepPlaces() }
        } else {
            try await read(after: list.cursor, TodoList.chunkCount)
            cursor = todos.count < TodoList.chunkCount ? nil : todos.last.map { TodoCursor(after: $0) }
        }
        madePiece = try makePiece()
        return next
    }

    /// After `begin`: in one buffer when that is all, which is sent in one go.
    var body: ResponseBody {
        if state == .atEnd, let madePiece { return ResponseBody(byteBuffer: madePiece) }
        return ResponseBody(asyncSequence: self)
    }

    func makeAsyncIterator() -> TodoListText { self }

    func next() async throws -> ByteBuffer? {
        if let piece = madePiece {
            madePiece = nil
            return piece
        }
        while state != .atEnd {
            if todos.isEmpty { try await readOn() }
            let piece = try makePiece()
            // Nothing of a chunk may be left to show.
            if piece.readableBytes > 0 { return piece }
        }
        return nil
    }

    private func keepPlaces() {
        places = todos[TodoList.chunkCount...].map { TodoCursor(after: $0) }
        // A new array: the old one keeps its room.
        todos = Array(todos.prefix(TodoList.chunkCount))
        cursor = todos.last.map { TodoCursor(after: $0) }
        chunkBytes = todos.heldBytes
        hold(piece: 0)
    }

    private func readOn() async throws {
        hold(piece: 0)
        guard let start = cursor else { return }
        try await read(after: start, TodoList.chunkCount)
        let last = todos.last.map { TodoCursor(after: $0) }
        cursor = todos.count < TodoList.chunkCount ? nil : last
        guard let places else { return }
        let wanted = Set(places)
        todos.removeAll { !wanted.contains(TodoCursor(after: $0)) }
        if let last, let end = places.last, !last.isBefore(end) { cursor = nil }
    }

    private func read(after cursor: TodoCursor?, _ limit: Int) async throws {
        try await room.turns.run {
            guard isWanted() else { throw CancellationError() }
            guard state == .atStart ? !room.unsent.isFullForNew : !room.unsent.isFull else {
                throw Problem.unavailable
            }
            todos = try await service.page(after: cursor, limit: limit, isCompleted: list.isCompleted)
            // Before others have their turn, so that they see it.
            chunkBytes = todos.heldBytes
            hold(piece: 0)
        }
    }

    private func makePiece() throws -> ByteBuffer {
        guard isWanted() else { throw CancellationError() }
        var piece = ByteBuffer()
        piece.reserveCapacity(Swift.min(TodoList.pieceBytes, 2 + (todos.count - index) * 200))
        if state == .atStart { piece.writeStaticString("[") }
        state = .inside
        while index < todos.count, piece.readableBytes < TodoList.pieceBytes - TodoList.usualTodoBytes {
            if !isFirstTodo { piece.writeStaticString(",") }
            piece.writeJSON(todos[index])
            isFirstTodo = false
            index += 1
        }
        if index == todos.count {
            drop()
            if cursor == nil {
                piece.writeStaticString("]")
                state = .atEnd
            }
        }
        hold(piece: state == .atEnd ? 0 : piece.readableBytes)
        return piece
    }

    private func drop() {
        todos = []
        index = 0
        chunkBytes = 0
    }

    /// Counts the chunk and a piece of text as what this list holds now.
    private func hold(piece pieceBytes: Int) {
        let bytes = chunkBytes + pieceBytes
        room.unsent.add(bytes - heldBytes)
        heldBytes = bytes
    }
}

extension [Todo] {
    /// About the memory that they take.
    fileprivate var heldBytes: Int { reduce(0) { $0 + 200 + $1.externID.utf8.count + $1.text.utf8.count } }
}

extension TodoCursor {
    /// In the order of the list, the newest first.
    fileprivate func isBefore(_ other: TodoCursor) -> Bool {
        (createdAtMilliseconds, id) > (other.createdAtMilliseconds, other.id)
    }
}
