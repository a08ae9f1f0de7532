internal import HTTPTypes
internal import NIOCore

/// What the API says of itself: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), made from the descriptions by which
/// requests are routed and checked.
struct OpenAPIDocument {
    let json: JSONValue

    /// - Parameters:
    ///   - operations: those of the tag `service` do not show.
    ///   - limits: what the node holds its clients to.
    ///   - wantsToken: whether the node asks for one.
    init(_ operations: [Operation], version: String, limits: HTTPLimits, wantsToken: Bool) {
        var writer = Writer(limits: limits, wantsToken: wantsToken)
        var paths = JSONObject()
        let shown = operations.filter { $0.tag != .service }
        for operation in shown where paths[operation.path] == nil {
            let item = shown.filter { $0.path.isSame(as: operation.path) }
                .map { ($0.method.rawValue.lowercased(), writer.description(of: $0)) }
            paths.append(operation.path, .object(JSONObject(item)))
        }
        var components = JSONObject()
        components.append("schemas", .object(writer.schemas.components))
        if wantsToken {
            let scheme: JSONValue = ["type": "http", "scheme": "bearer"]
            components.append("securitySchemes", .object(JSONObject([(Writer.tokenScheme, scheme)])))
        }
        json = [
            "openapi": "3.1.0",
            "info": [
                "title": "auto-cluster-sync", "version": .string(version),
                "description": .string(Self.introduction),
                "license": ["name": "MIT", "identifier": "MIT"],
            ],
            "servers": [["url": "/", "description": "This node."]],
            "tags": [
                ["name": "todos", "description": "The todos, the same on every node of the cluster."],
                ["name": "health", "description": "How the node is; answered from the first moment."],
            ],
            "paths": .object(paths), "components": .object(components),
        ]
    }

    private static let introduction =
        "Todos on many nodes, each with a database of its own. Every node takes writes, and all end with the same data. "
        + "Errors are problem details (RFC 9457)."

    /// Writes operations, and collects the schemas that they use.
    private struct Writer {
        static let tokenScheme = "token"

        let limits: HTTPLimits
        let wantsToken: Bool
        var schemas = SchemaCatalog()

        mutating func description(of operation: Operation) -> JSONValue {
            var object = JSONObject()
            object.append("operationId", .string(operation.id))
            object.append("tags", [.string(operation.tag.rawValue)])
            object.append("summary", .string(operation.summary))
            object.append("description", ifAny: operation.note)
            if wantsToken, !operation.isOpen {
                object.append("security", [.object(JSONObject([(Self.tokenScheme, .array([]))]))])
            }
            if !operation.parameters.isEmpty {
                object.append("parameters", .array(operation.parameters.map { describe($0) }))
            }
            if let body = operation.body {
                object.append(
                    "requestBody",
                    [
                        "required": true,
                        "content": [
                            "application/json": ["schema": schemas.reference(to: body), "example": body.sample]
                        ],
                    ])
            }
            object.append("responses", .object(responses(of: operation)))
            return .object(object)
        }

        private mutating func describe(_ parameter: Operation.Parameter) -> JSONValue {
            var object = JSONObject()
            object.append("name", .string(parameter.name))
            object.append("in", .string(parameter.place.rawValue))
            object.append("description", .string(parameter.note))
            if parameter.place == .path { object.append("required", true) }
            object.append("schema", schemas.reference(to: parameter.schema))
            return .object(object)
        }

        private mutating func responses(of operation: Operation) -> JSONObject {
            var responses = JSONObject()
            let answer = operation.answer
            var success = JSONObject([("description", .string(answer.note))])
            append(answer.headers.map { ($0.name, $0.note) }, to: &success)
            if let schema = answer.schema {
                success.append(
                    "content",
                    ["application/json": ["schema": schemas.reference(to: schema), "example": schema.sample]])
            }
            responses.append(String(answer.status.code), .object(success))
            if operation.isConditional, operation.isRead {
                var unchanged = JSONObject([("description", "What the client has is what there is.")])
                append([(.eTag, Operation.Header.entityTag.note)], to: &unchanged)
                responses.append("304", .object(unchanged))
            }
            let problems = operation.problems(limits: limits, wantsToken: wantsToken)
            for status in Set(problems.map(\.status.code)).sorted() {
                responses.append(String(status), describe(problems.filter { $0.status.code == status }))
            }
            return responses
        }

        /// Problems of one status.
        private mutating func describe(_ problems: [Problem]) -> JSONValue {
            var object = JSONObject([("description", .string(problems.map(\.detail).joined(separator: "; ")))])
            var fields: [(HTTPField.Name, String)] = []
            for problem in problems {
                for field in problem.headers where !fields.contains(where: { $0.0 == field.name }) {
                    fields.append((field.name, "Such as `\(field.value)`."))
                }
            }
            append(fields, to: &object)
            var examples = JSONObject()
            for (index, problem) in problems.enumerated() {
                examples.append("example\(index + 1)", ["summary": .string(problem.detail), "value": problem.value])
            }
            let content: JSONValue = ["schema": schemas.reference(to: .problem), "examples": .object(examples)]
            object.append("content", .object(JSONObject([(Problem.mediaType, content)])))
            return .object(object)
        }

        private func append(_ headers: [(HTTPField.Name, String)], to object: inout JSONObject) {
            guard !headers.isEmpty else { return }
            var described = JSONObject()
            for (name, note) in headers {
                described.append(name.rawName, ["description": .string(note), "schema": ["type": "string"]])
            }
            object.append("headers", .object(described))
        }
    }
}

extension Schema {
    static let problem = object(
        named: "Problem",
        [
            .required("title", string().example(.string("Unprocessable Entity"))),
            .required("status", integer(400...599).example(.number("422"))),
            .required("detail", string().example(.string("validation failed"))),
            .optional("errors", array(of: requestFault).noted("Everything that is wrong with the request.")),
        ])

    private static let requestFault = object(
        named: "Fault",
        [
            .required("message", string().example(.string("expected length >= 1"))),
            .required("location", string().example(.string("body.todo"))),
            .optional("value", any.noted("What was found there, unless it is long.").example(.string(""))),
        ])
}

extension Problem {
    /// As an answer shows it.
    fileprivate var value: JSONValue {
        guard let value = try? JSONParser.parse(json.readableBytesView) else { preconditionFailure("\(detail)") }
        return value
    }
}
