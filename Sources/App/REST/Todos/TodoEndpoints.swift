internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Store

/// Carries out the operations on todos.
struct TodoEndpoints<Service: TodoService>: Sendable {
    private let service: Service
    private let room: ListRoom

    /// - Parameter unsent: beyond its maximum lists are refused.
    init(service: Service, unsent: UnsentBytes = UnsentBytes(maximum: HTTPLimits().maximumUnsentBytes)) {
        self.service = service
        room = ListRoom(unsent: unsent)
    }

    var all: [Endpoint] {
        [
            Endpoint(operation: .listTodos) { try await list($0) },
            Endpoint(operation: .createTodo) { try await create($0.body) },
            Endpoint(operation: .getTodo) { try await get($0) },
            Endpoint(operation: .updateTodo) { try await update($0) },
            Endpoint(operation: .deleteTodo) { try await delete($0) },
            Endpoint(operation: .getTodoByExternID) { try await get($0) },
            Endpoint(operation: .updateTodoByExternID) { try await update($0) },
            Endpoint(operation: .deleteTodoByExternID) { try await delete($0) },
        ]
    }

    private func list(_ arguments: Arguments) async throws -> Response {
        let list = TodoList(arguments)
        // Weak, since a long list is read in parts. Taken first: what changes from here on shows in the list, or not.
        let tag = EntityTag(isWeak: true, opaque: service.version)
        var headers = HTTPFields.json(tag)
        if let answer = try Preconditions(arguments).answer(for: tag, headers) { return answer }
        let text = TodoListText(list, service, room, isWanted: arguments.isWanted)
        if let next = try await text.begin() { headers[.link] = "<\(list.path(behind: next))>; rel=\"next\"" }
        return Response(status: .ok, headers: headers, body: text.body)
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

    private func get(_ arguments: Arguments) async throws -> Response {
        let todo =
            switch try arguments.address {
            case .id(let id): try await service.todo(id: id)
            case .externID(let externID): try await service.todo(externID: externID)
            }
        guard let todo else { throw Problem.noSuchTodo }
        let tag = EntityTag(todo.version)
        let headers = HTTPFields.json(tag)
        return try Preconditions(arguments).answer(for: tag, headers) ?? .json(.ok, .json(todo), headers)
    }

    private func update(_ arguments: Arguments) async throws -> Response {
        let todo = try await service.update(
            try arguments.address, text: arguments.body.string("todo"),
            isCompleted: arguments.body.boolean("completed"), if: Preconditions(arguments).condition)
        guard let todo else { throw Problem.noSuchTodo }
        return .json(.ok, todo)
    }

    private func delete(_ arguments: Arguments) async throws -> Response {
        guard try await service.delete(try arguments.address, if: Preconditions(arguments).condition) else {
            throw Problem.noSuchTodo
        }
        return Response(status: .noContent)
    }
}

extension Arguments {
    /// What an operation on one todo has as its first parameter.
    fileprivate var address: TodoAddress {
        get throws {
            switch parameters.first?.value {
            case .integer(let id): .id(id)
            case .text(let externID): .externID(externID)
            case .boolean, nil: throw Problem.unexpected
            }
        }
    }
}

extension Response {
    /// With the todo's tag.
    fileprivate static func json(_ status: HTTPResponse.Status, _ todo: Todo) -> Response {
        .json(status, .json(todo), .json(EntityTag(todo.version)))
    }

    static func json(
        _ status: HTTPResponse.Status, _ buffer: ByteBuffer, _ headers: HTTPFields = .json
    ) -> Response {
        Response(status: status, headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}

extension HTTPFields {
    static let json: HTTPFields = [.contentType: "application/json"]

    /// A cache may keep it, but asks each time whether it is still so (RFC 9111 §5.2.2.4): without a word it might guess for
    /// how long it is (§4.2.2).
    private static let revalidated: HTTPFields = [.contentType: "application/json", .cacheControl: "no-cache"]

    fileprivate static func json(_ tag: EntityTag) -> HTTPFields {
        var fields = revalidated
        fields.append(HTTPField(name: .eTag, value: tag.description))
        return fields
    }
}
