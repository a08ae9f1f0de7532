internal import HTTPTypes

extension Schema {
    static let externID = string(length: 1...80).noted("Names the todo; the same on every node, and never changed.")
    static let todoText = string(length: 1...500)

    static let todo = object(
        named: "Todo",
        [
            .required("id", integer(minimum: 1).noted("Local to this node.")),
            .required("extern_id", externID),
            .required("todo", todoText),
            .required("completed", boolean),
            .required("created_at", string(format: "date-time").noted("UTC, with three digits.")),
        ])

    static let createTodo = object(
        named: "CreateTodo", [.required("extern_id", externID), .required("todo", todoText)])

    static let updateTodo = object(
        named: "UpdateTodo", [.optional("todo", todoText), .optional("completed", boolean)])
}

extension Operation {
    static let listTodos = Operation(
        id: "list-todos", method: .get, path: "/todos", tag: .todos,
        summary: "List all todos, newest first",
        answer: Answer(status: .ok, note: "The todos.", schema: .array(of: .todo)))

    static let createTodo = Operation(
        id: "create-todo", method: .post, path: "/todos", tag: .todos, summary: "Create a todo", body: .createTodo,
        answer: Answer(status: .created, note: "The new todo.", schema: .todo, headers: [.location]),
        errors: [.badRequest, .conflict, .contentTooLarge, .unsupportedMediaType, .unprocessableEntity])

    static let getTodo = byID.get
    static let updateTodo = byID.update
    static let deleteTodo = byID.delete
    static let getTodoByExternID = byExternID.get
    static let updateTodoByExternID = byExternID.update
    static let deleteTodoByExternID = byExternID.delete

    private static let byID = oneTodo(
        at: "/todos/{id}", suffix: "", name: "a todo", Parameter(name: "id", schema: .integer(minimum: 1)))
    private static let byExternID = oneTodo(
        at: "/todos/by-extern-id/{extern_id}", suffix: "-by-extern-id", name: "a todo by the id that all nodes share",
        Parameter(name: "extern_id", schema: .externID))

    private static func oneTodo(
        at path: String, suffix: String, name: String, _ parameter: Parameter
    ) -> (get: Self, update: Self, delete: Self) {
        let get = Operation(
            id: "get-todo\(suffix)", method: .get, path: path, tag: .todos, summary: "Get \(name)",
            parameters: [parameter], answer: Answer(status: .ok, note: "The todo.", schema: .todo),
            errors: [.notFound, .unprocessableEntity])
        let update = Operation(
            id: "update-todo\(suffix)", method: .put, path: path, tag: .todos,
            summary: "Change the text of \(name), or whether it is completed", parameters: [parameter],
            body: .updateTodo,
            answer: Answer(status: .ok, note: "The todo as it is now.", schema: .todo),
            errors: [.badRequest, .notFound, .contentTooLarge, .unsupportedMediaType, .unprocessableEntity])
        let delete = Operation(
            id: "delete-todo\(suffix)", method: .delete, path: path, tag: .todos, summary: "Delete \(name)",
            parameters: [parameter], answer: Answer(status: .noContent, note: "It is gone."),
            errors: [.notFound, .unprocessableEntity])
        return (get, update, delete)
    }
}
