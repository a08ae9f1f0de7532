import Foundation
import Testing
import Yams

extension RESTContract {
    /// The description of the API, which clients are made from.
    @Suite("OpenAPI")
    struct OpenAPI {
        let client: RawClient
        let document: AnyJSON

        init() async throws {
            client = try SharedNode.client
            document = try #require(try await SharedNode.client.get("/openapi.json").json)
        }

        @Test("GET /openapi.json is 200 with an OpenAPI 3.1 document")
        func json() async throws {
            let answer = try await client.get("/openapi.json")
            #expect(answer.status == 200)
            #expect(["application/json", "application/openapi+json"].contains(answer["content-type"]))
            #expect(document["openapi"]?.text?.hasPrefix("3.1.") == true)
            #expect(document["info"]?["title"]?.kind == .text && document["info"]?["version"]?.kind == .text)
        }

        @Test("GET /openapi.yaml is 200 with the same document in YAML")
        func yaml() async throws {
            let answer = try await client.get("/openapi.yaml")
            #expect(answer.status == 200)
            #expect(answer["content-type"]?.contains("yaml") == true)
            #expect(AnyJSON(yaml: try Yams.load(yaml: answer.text)) == document)
        }

        @Test(
            "its operations have the ids that clients are made with, and the tags health and todos",
            arguments: [
                ("GET", "/health/ready", "health-ready", "health"), ("GET", "/health/info", "health-info", "health"),
                ("GET", "/todos", "list-todos", "todos"), ("GET", "/todos/{id}", "get-todo", "todos"),
                ("POST", "/todos", "create-todo", "todos"), ("PUT", "/todos/{id}", "update-todo", "todos"),
                ("DELETE", "/todos/{id}", "delete-todo", "todos"),
            ])
        func operations(method: String, path: String, id: String, tag: String) {
            let operation = operation(method, path)
            #expect(operation?["operationId"] == .text(id))
            #expect(operation?["tags"] == .array([.text(tag)]))
        }

        @Test("its schemas have the limits of extern_id and todo, and let no other property through")
        func limits() throws {
            for (method, path, names, required) in [
                ("POST", "/todos", ["extern_id", "todo"], ["extern_id", "todo"]),
                ("PUT", "/todos/{id}", ["completed", "todo"], []),
            ] {
                let body = operation(method, path)?["requestBody"]
                #expect(body?["required"] == .boolean(true))
                let schema = try #require(resolved(body?["content"]?["application/json"]?["schema"]))
                #expect(schema["type"] == .text("object") && schema["additionalProperties"] == .boolean(false))
                #expect((schema["required"]?.elements ?? []).compactMap(\.text).sorted() == required)
                let properties = schema["properties"]?.members ?? [:]
                #expect(properties.keys.filter { $0 != "$schema" }.sorted() == names)
                for (name, maximum) in [("extern_id", 80.0), ("todo", 500)] where names.contains(name) {
                    let property = resolved(properties[name])
                    #expect(
                        property?["minLength"] == .number(1) && property?["maxLength"] == .number(maximum), "\(name)")
                }
            }
        }

        @Test("its schema of a todo is what a todo is")
        func todo() throws {
            let answer = operation("GET", "/todos/{id}")?["responses"]?["200"]
            let schema = try #require(resolved(answer?["content"]?["application/json"]?["schema"]))
            let types = (schema["properties"]?.members ?? [:]).compactMapValues { resolved($0)?["type"]?.text }
            #expect(
                types == [
                    "id": "integer", "extern_id": "string", "todo": "string", "completed": "boolean",
                    "created_at": "string",
                ])
            #expect((schema["required"]?.elements ?? []).compactMap(\.text).sorted() == types.keys.sorted())
            #expect(resolved(schema["properties"]?["id"])?["minimum"] == .number(1))
            #expect(resolved(schema["properties"]?["created_at"])?["format"] == .text("date-time"))
        }

        @Test("its references lead somewhere, its operation ids differ, and each parameter of a path is described")
        func soundness() {
            for reference in references(in: document) {
                #expect(resolved(.object(["$ref": .text(reference)])) != nil, "\(reference)")
            }
            var ids: [String] = []
            for (path, item) in document["paths"]?.members ?? [:] {
                for (method, operation) in item.members where Self.methods.contains(method) {
                    ids.append(operation["operationId"]?.text ?? "none")
                    let described = ((operation["parameters"]?.elements ?? []) + (item["parameters"]?.elements ?? []))
                        .compactMap { resolved($0) }.filter { $0["in"] == .text("path") }.compactMap {
                            $0["name"]?.text
                        }
                    #expect(described.sorted() == path.matches(of: /\{([^}]+)\}/).map { String($0.1) }.sorted())
                }
            }
            #expect(ids.count >= 10 && Set(ids).count == ids.count && !ids.contains("none"))
        }

        @Test("each operation that it describes is served, and answers with a status that it describes")
        func served() async throws {
            let paths = document["paths"]?.members ?? [:]
            #expect(paths.count >= 5)
            for (path, item) in paths {
                for (method, operation) in item.members where Self.methods.contains(method) {
                    for value in ["999999", "0", "%zz"] {
                        let address = path.replacing(/\{[^}]+\}/, with: value)
                        for body in [nil, "{}", "{"] as [String?]
                        where method == "post" || method == "put" || body == nil {
                            let status = try await client.send(method.uppercased(), address, body).status
                            #expect(
                                operation["responses"]?[String(status)] != nil
                                    || operation["responses"]?["default"] != nil,
                                "\(method) \(address) \(body ?? ""): \(status)")
                            #expect(status != 405 && status < 500, "\(method) \(address)")
                        }
                    }
                }
            }
        }

        @Test("HEAD is answered, and other methods are 405", arguments: ["/openapi.json", "/openapi.yaml"])
        func methods(path: String) async throws {
            let head = try await client.send("HEAD", path)
            #expect(head.status == 200)
            #expect(try await head["content-length"] == client.get(path)["content-length"])
            let post = try await client.send("POST", path)
            #expect(post.isProblem(405) && post["allow"] == "GET, HEAD")
        }

        private static let methods = ["get", "put", "post", "delete", "patch"]

        private func operation(_ method: String, _ path: String) -> AnyJSON? {
            document["paths"]?[path]?[method.lowercased()]
        }

        /// What a schema is after all its references.
        private func resolved(_ schema: AnyJSON?) -> AnyJSON? {
            var schema = schema
            // A chain that is longer goes in a circle.
            for _ in 0..<16 {
                guard let reference = schema?["$ref"]?.text else { return schema }
                guard reference.hasPrefix("#/") else { return nil }
                schema = reference.dropFirst(2).split(separator: "/").reduce(Optional(document)) { $0?[String($1)] }
            }
            return nil
        }

        private func references(in value: AnyJSON) -> [String] {
            let own = value["$ref"]?.text.map { [$0] } ?? []
            return own + (value.elements + value.members.values).flatMap { references(in: $0) }
        }
    }
}

extension AnyJSON {
    /// What a YAML library made of a document; `nil` for what JSON has not.
    fileprivate init?(yaml value: Any?) {
        switch value {
        case nil, is NSNull: self = .null
        case let value as Bool: self = .boolean(value)
        case let value as Int: self = .number(Double(value))
        case let value as Double: self = .number(value)
        case let value as String: self = .text(value)
        case let values as [Any]:
            self = .array(values.compactMap { Self(yaml: $0) })
        case let members as [AnyHashable: Any]:
            var object: [String: Self] = [:]
            for (name, value) in members { object["\(name)"] = Self(yaml: value) }
            self = .object(object)
        default: return nil
        }
    }
}
