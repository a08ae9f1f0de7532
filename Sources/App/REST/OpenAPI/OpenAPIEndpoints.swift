internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Yams

extension Operation {
    static let openAPIJSON = openAPI(id: "openapi-json", path: "/openapi.json")
    static let openAPIYAML = openAPI(id: "openapi-yaml", path: "/openapi.yaml")

    private static func openAPI(id: String, path: String) -> Self {
        Operation(
            id: id, method: .get, path: path, tag: .service, summary: "This description",
            answer: Answer(status: .ok, note: "An OpenAPI 3.1 document."), isAlwaysServed: true)
    }
}

/// The description of the API, written once, at the start.
struct OpenAPIEndpoints {
    let json: ByteBuffer
    let yaml: ByteBuffer

    init(_ document: OpenAPIDocument) throws {
        var json = ByteBuffer()
        json.writeJSON(document.json)
        self.json = json
        yaml = ByteBuffer(string: try Yams.serialize(node: Node(document.json), width: -1, allowUnicode: true))
    }

    var all: [Endpoint] {
        let (json, yaml) = (json, yaml)
        return [
            Endpoint(operation: .openAPIJSON) { _ in .json(.ok, json, [.contentType: "application/openapi+json"]) },
            // RFC 9512.
            Endpoint(operation: .openAPIYAML) { _ in .json(.ok, yaml, [.contentType: "application/openapi+yaml"]) },
        ]
    }
}

extension Node {
    /// Texts in quotes, so that none is taken for something else.
    fileprivate init(_ value: JSONValue) {
        switch value {
        case .null: self = Node("null")
        case .boolean(let value): self = Node(value ? "true" : "false")
        case .number(let text): self = Node(text)
        case .string(let text): self = Node(text, Tag(.str), .doubleQuoted)
        case .array(let values): self = .sequence(.init(values.map { Node($0) }))
        case .object(let object):
            self = .mapping(.init(object.members.map { (Node(key: $0.name), Node($0.value)) }))
        }
    }

    /// Plain where it cannot be misread.
    private init(key: String) {
        let isPlain = key.utf8.first.map { Character(Unicode.Scalar($0)).isLetter } ?? false
        self = Node(key, Tag(.str), isPlain && key != "null" ? .plain : .doubleQuoted)
    }
}
