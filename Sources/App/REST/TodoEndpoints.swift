internal import Store
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Carries out the operations on todos.
struct TodoEndpoints<Service: TodoService>: Sendable {
    /// How many todos are read, encoded and sent at a time; a longer list costs no more memory than this.
    static var pageSize: Int { 256 }

    let service: Service

    var all: [Endpoint] {
        [
            Endpoint(operation: .listTodos) { _ in try await list() },
            Endpoint(operation: .createTodo) { try await create($0.body) },
            Endpoint(operation: .getTodo) { try await get($0.address) },
            Endpoint(operation: .updateTodo) { try await update($0.address, $0.body) },
            Endpoint(operation: .deleteTodo) { try await delete($0.address) },
            Endpoint(operation: .getTodoByExternID) { try await get($0.address) },
            Endpoint(operation: .updateTodoByExternID) { try await update($0.address, $0.body) },
            Endpoint(operation: .deleteTodoByExternID) { try await delete($0.address) },
        ]
    }

    private func list() async throws -> Response {
        // The first page is read before the head is sent, so that a failure is still told as one.
        let first = try await service.page(after: nil, limit: Self.pageSize)
        guard first.count < Self.pageSize else {
            let pages = TodoPages(service: service, first: first, limit: Self.pageSize)
            return Response(status: .ok, headers: .json, body: ResponseBody(asyncSequence: TodoListText(pages: pages)))
        }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(2 + first.count * 200)
        buffer.writeStaticString("[")
        buffer.writeTodos(first)
        buffer.writeStaticString("]")
        return .json(.ok, buffer)
    }

    private func create(_ body: JSONObject) async throws -> Response {
        guard let externID = body.string("extern_id"), let text = body.string("todo") else { throw Problem.unexpected }
        switch try await service.create(externID: externID, text: text) {
        case .exists: throw Problem.duplicate
        case .created(let todo):
            var response = Response.json(.created, todo)
            response.headers[.location] = "/todos/\(todo.id)"
            return response
        }
    }

    private func get(_ address: TodoAddress) async throws -> Response {
        let todo =
            switch address {
            case .id(let id): try await service.todo(id: id)
            case .externID(let externID): try await service.todo(externID: externID)
            }
        guard let todo else { throw Problem.noSuchTodo }
        return .json(.ok, todo)
    }

    private func update(_ address: TodoAddress, _ body: JSONObject) async throws -> Response {
        let todo = try await service.update(
            address, text: body.string("todo"), isCompleted: body.boolean("completed"))
        guard let todo else { throw Problem.noSuchTodo }
        return .json(.ok, todo)
    }

    private func delete(_ address: TodoAddress) async throws -> Response {
        guard try await service.delete(address) else { throw Problem.noSuchTodo }
        return Response(status: .noContent)
    }
}

extension Arguments {
    /// The one parameter of an operation on one todo.
    fileprivate var address: TodoAddress {
        get throws {
            switch parameters.first {
            case .integer(let id): .id(id)
            case .text(let externID): .externID(externID)
            case nil: throw Problem.unexpected
            }
        }
    }
}

extension Response {
    fileprivate static func json(_ status: HTTPResponse.Status, _ todo: Todo) -> Response {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(128 + todo.externID.utf8.count + todo.text.utf8.count)
        buffer.writeJSON(todo)
        return .json(status, buffer)
    }

    static func json(_ status: HTTPResponse.Status, _ buffer: ByteBuffer) -> Response {
        Response(status: status, headers: .json, body: ResponseBody(byteBuffer: buffer))
    }
}

extension HTTPFields {
    fileprivate static let json: HTTPFields = [.contentType: "application/json"]
}

// MARK: - Lists

/// All todos, a page at a time, each read when it is wanted.
///
/// A todo that is created meanwhile is newer than the place that was reached, and does not show; none shows twice.
struct TodoPages<Service: TodoService>: AsyncSequence, Sendable {
    let service: Service
    let first: [Todo]
    let limit: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        let pages: TodoPages
        private var cursor: TodoCursor?
        private var isFirst = true

        init(pages: TodoPages) { self.pages = pages }

        mutating func next() async throws -> [Todo]? {
            var page = pages.first
            if !isFirst {
                guard let cursor else { return nil }
                page = try await pages.service.page(after: cursor, limit: pages.limit)
            }
            isFirst = false
            cursor = page.last.map { TodoCursor(createdAtMilliseconds: $0.createdAtMilliseconds, id: $0.id) }
            if page.count < pages.limit { cursor = nil }
            return page
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pages: self) }
}

/// The JSON array of all todos, a page at a time.
struct TodoListText<Service: TodoService>: AsyncSequence, Sendable {
    let pages: TodoPages<Service>

    struct AsyncIterator: AsyncIteratorProtocol {
        private enum State { case atStart, inside, atEnd }

        private var pages: TodoPages<Service>.AsyncIterator
        private var state = State.atStart

        init(pages: TodoPages<Service>.AsyncIterator) { self.pages = pages }

        mutating func next() async throws -> ByteBuffer? {
            guard state != .atEnd else { return nil }
            var buffer = ByteBuffer()
            if state == .atStart { buffer.writeStaticString("[") }
            if let page = try await pages.next() {
                buffer.reserveCapacity(2 + page.count * 200)
                if state == .inside, !page.isEmpty { buffer.writeStaticString(",") }
                buffer.writeTodos(page)
                state = .inside
            } else {
                buffer.writeStaticString("]")
                state = .atEnd
            }
            return buffer
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pages: pages.makeAsyncIterator()) }
}
