import HTTPTypes
import NIOCore
import Testing

@testable import AutoClusterSync

@Suite("The OpenAPI document")
struct OpenAPIDocumentTests {
    private static let operations =
        TodoEndpoints(service: MemoryTodoService()).all.map(\.operation)
        + HealthEndpoints(isReady: { true }, status: { .sample }).all.map(\.operation)

    private func document(wantsToken: Bool = false) -> JSONValue {
        OpenAPIDocument(Self.operations, version: "1.2.3", limits: HTTPLimits(), wantsToken: wantsToken).json
    }

    /// Each operation with its path, method and description.
    private func described(_ document: JSONValue) throws -> [String: (path: String, method: String, JSONObject)] {
        var found: [String: (path: String, method: String, JSONObject)] = [:]
        for item in try document.object("paths").members {
            for method in try #require(item.value.asObject).members {
                let description = try #require(method.value.asObject)
                found[try #require(description.string("operationId"))] = (item.name, method.name, description)
            }
        }
        return found
    }

    @Test("Every operation is described once, at its path, with every status that it can answer with")
    func operations() throws {
        let described = try described(document())
        #expect(described.count == Self.operations.count)
        for operation in Self.operations {
            let (path, method, description) = try #require(described[operation.id])
            #expect(path.isSame(as: operation.path) && method.isSame(as: operation.method.rawValue.lowercased()))
            let statuses = try #require(description["responses"]?.asObject).members.compactMap { Int($0.name) }
            #expect(Set(statuses) == operation.statuses(wantsToken: false), "\(operation.id)")
        }
        #expect(
            Set(described.keys)
                == [
                    "health-ready", "health-info", "list-todos", "get-todo", "create-todo", "update-todo",
                    "delete-todo", "get-todo-by-extern-id", "update-todo-by-extern-id", "delete-todo-by-extern-id",
                ])
    }

    @Test("Schemas carry the limits that requests are checked against")
    func limits() throws {
        let schemas = try document().object("components").object("schemas")
        let create = try schemas.object("CreateTodo")
        #expect(create["additionalProperties"] == false && create["required"] == ["extern_id", "todo"])
        let externID = try create.object("properties").object("extern_id")
        #expect(externID["minLength"] == 1 && externID["maxLength"] == 80 && externID["type"] == "string")
        let text = try schemas.object("UpdateTodo").object("properties").object("todo")
        #expect(text["maxLength"] == 500 && text["type"] == ["string", "null"])
        #expect(try schemas.object("UpdateTodo")["required"] == nil)
        let id = try schemas.object("Todo").object("properties").object("id")
        #expect(id["minimum"] == 1 && id["maximum"] == .number(String(Int64.max)))
    }

    @Test("Every reference leads to a schema, and every example of a body fits its own")
    func references() throws {
        let schemas = try document().object("components").object("schemas")
        var count = 0
        func check(_ value: JSONValue) throws {
            switch value {
            case .object(let object):
                if let reference = object.string("$ref") {
                    let name = try #require(reference.split(separator: "/").last)
                    #expect(reference.isSame(as: "#/components/schemas/\(name)") && schemas[String(name)] != nil)
                    count += 1
                }
                for member in object.members { try check(member.value) }
            case .array(let values): for value in values { try check(value) }
            case .null, .boolean, .number, .string: break
            }
        }
        try check(document())
        #expect(count > 20)
        for operation in Self.operations {
            guard let body = operation.body else { continue }
            var faults = RequestFaults()
            body.check(body.sample, at: "body", &faults)
            #expect(faults.list.isEmpty, "\(operation.id)")
        }
    }

    @Test("A node that wants tokens says so, of everything but its readiness")
    func tokens() throws {
        let secured = try described(document(wantsToken: true))
        for (id, operation) in secured {
            #expect((operation.2["security"] != nil) == (id != "health-ready"), "\(id)")
            let responses = try #require(operation.2["responses"]?.asObject)
            #expect((responses["401"] != nil) == (id != "health-ready"), "\(id)")
        }
        #expect(try described(document()).values.allSatisfy { $0.2["security"] == nil })
        #expect(try document().object("components")["securitySchemes"] == nil)
    }
}

extension JSONValue {
    fileprivate var asObject: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    fileprivate func object(_ name: String) throws -> JSONObject { try #require(asObject?[name]?.asObject) }
}

extension JSONObject {
    fileprivate func object(_ name: String) throws -> JSONObject { try #require(self[name]?.asObject) }
}

extension Operation {
    /// What the document promises.
    func statuses(wantsToken: Bool) -> Set<Int> {
        let problems = problems(limits: HTTPLimits(), wantsToken: wantsToken)
        return Set([answer.status.code] + problems.map(\.status.code) + (isConditional && isRead ? [304] : []))
    }
}
