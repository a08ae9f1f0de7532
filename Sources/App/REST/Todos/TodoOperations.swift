internal import HTTPTypes

extension Schema {
    static let externID = string(length: 1...80).noted("Names the todo; the same on every node, and never changed.")
        .example(.string("unique-id-123"))
    static let todoText = string(length: 1...500).example(.string("Buy groceries"))
    static let completed = boolean.example(.boolean(false))
    static let todoID = integer(1...Int64.max).noted("Local to this node.").example(.number("1"))

    static let todo = object(
        named: "Todo",
        [
            .required("id", todoID),
            .required("extern_id", externID),
            .required("todo", todoText),
            .required("completed", completed),
            .required(
                "created_at",
                string(format: "date-time").noted("UTC, with three digits; the same on every node.")
                    .example(.string("2026-01-02T03:04:05.678Z"))),
        ])

    static let createTodo = closedObject(
        named: "CreateTodo", [.required("extern_id", externID), .required("todo", todoText)])

    static let updateTodo = closedObject(
        named: "UpdateTodo", [.optional("todo", todoText), .optional("completed", completed)])
}

extension Operation {
    static let listTodos = Operation(
        id: "list-todos", method: .get, path: "/todos", tag: .todos,
        summary: "List todos, newest first",
        note:
            "Without `limit` all of them, sent as they are read. A todo that is created meanwhile does not show, and none "
            + "shows twice.",
        parameters: [.limit, .cursor, .completed, .ifMatch, .ifNoneMatch],
        answer: Answer(status: .ok, note: "The todos.", schema: .array(of: .todo), headers: [.listTag, .link]))

    static let createTodo = Operation(
        id: "create-todo", method: .post, path: "/todos", tag: .todos, summary: "Create a todo", body: .createTodo,
        answer: Answer(status: .created, note: "The new todo.", schema: .todo, headers: [.location, .entityTag]),
        errors: [.duplicate])

    static let getTodo = byID.get
    static let updateTodo = byID.update
    static let deleteTodo = byID.delete
    static let getTodoByExternID = byExternID.get
    static let updateTodoByExternID = byExternID.update
    static let deleteTodoByExternID = byExternID.delete

    private static let byID = oneTodo(
        at: "/todos/{id}", suffix: "", name: "a todo",
        Parameter("id", in: .path, .todoID, "The todo's id on this node."))
    private static let byExternID = oneTodo(
        at: "/todos/by-extern-id/{extern_id}", suffix: "-by-extern-id", name: "a todo by the id that all nodes share",
        Parameter("extern_id", in: .path, .externID, "The todo's id on every node, percent-encoded."))

    private static func oneTodo(
        at path: String, suffix: String, name: String, _ parameter: Parameter
    ) -> (get: Self, update: Self, delete: Self) {
        let parameters = [parameter, .ifMatch, .ifNoneMatch]
        let get = Operation(
            id: "get-todo\(suffix)", method: .get, path: path, tag: .todos, summary: "Get \(name)",
            parameters: parameters,
            answer: Answer(status: .ok, note: "The todo.", schema: .todo, headers: [.entityTag]), errors: [.noSuchTodo])
        let update = Operation(
            id: "update-todo\(suffix)", method: .put, path: path, tag: .todos,
            summary: "Change the text of \(name), or whether it is completed",
            note: "What is not named stays as it is.", parameters: parameters, body: .updateTodo,
            answer: Answer(status: .ok, note: "The todo as it is now.", schema: .todo, headers: [.entityTag]),
            errors: [.noSuchTodo])
        let delete = Operation(
            id: "delete-todo\(suffix)", method: .delete, path: path, tag: .todos, summary: "Delete \(name)",
            parameters: parameters, answer: Answer(status: .noContent, note: "It is gone."), errors: [.noSuchTodo])
        return (get, update, delete)
    }
}
