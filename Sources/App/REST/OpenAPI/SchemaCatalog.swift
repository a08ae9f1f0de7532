/// Writes schemas as OpenAPI 3.1 has them, which is JSON Schema 2020-12; those with a name stand once, and are referred to.
struct SchemaCatalog {
    /// By name, in the order in which they were met first.
    private(set) var components = JSONObject()

    /// The schema where it is used.
    mutating func reference(to schema: Schema) -> JSONValue {
        guard let name = schema.name else { return .object(description(of: schema)) }
        if components[name] == nil {
            components.append(name, .null)
            let object = description(of: schema)
            components.members = components.members.map { member in
                member.name.isSame(as: name) ? .init(name: name, value: .object(object)) : member
            }
        }
        return ["$ref": "#/components/schemas/\(name)"]
    }

    private mutating func description(of schema: Schema, isNullable: Bool = false) -> JSONObject {
        var object = JSONObject()
        func type(_ name: String) -> JSONValue { isNullable ? [.string(name), "null"] : .string(name) }
        switch schema.kind {
        case .object(let properties):
            object.append("type", "object")
            var described = JSONObject()
            for property in properties {
                let isNullable = schema.isClosed && !property.isRequired
                described.append(
                    property.name,
                    property.schema.name == nil
                        ? .object(description(of: property.schema, isNullable: isNullable))
                        : reference(to: property.schema))
            }
            if schema.isClosed {
                described.append(Schema.schemaMember, ["description": "Let through, and not looked at."])
            }
            object.append("properties", .object(described))
            let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
            if !required.isEmpty { object.append("required", .array(required)) }
            if schema.isClosed { object.append("additionalProperties", false) }
        case .array(let element):
            object.append("type", type("array"))
            object.append("items", reference(to: element))
        case .string(let text):
            object.append("type", type("string"))
            append(text, to: &object)
        case .integer(let range):
            object.append("type", type("integer"))
            object.append("format", "int64")
            object.append("minimum", .number(String(range.lowerBound)))
            object.append("maximum", .number(String(range.upperBound)))
        case .number: object.append("type", type("number"))
        case .boolean: object.append("type", type("boolean"))
        case .any: break
        }
        object.append("description", ifAny: schema.note)
        if let example = schema.example { object.append("examples", [example]) }
        return object
    }

    private func append(_ text: Schema.Text, to object: inout JSONObject) {
        if let length = text.length {
            object.append("minLength", .number(String(length.lowerBound)))
            object.append("maxLength", .number(String(length.upperBound)))
        }
        object.append("format", ifAny: text.format)
        if !text.values.isEmpty { object.append("enum", .array(text.values.map { .string($0) })) }
        object.append("pattern", ifAny: text.pattern?.expression)
    }
}

extension Schema {
    /// Something that fits: its example, or what its parts' examples make.
    var sample: JSONValue {
        if let example { return example }
        switch kind {
        case .object(let properties): return .object(JSONObject(properties.map { ($0.name, $0.schema.sample) }))
        case .array(let element): return [element.sample]
        case .string(let text): return .string(text.values.first ?? "")
        case .integer(let range): return .number(String(range.lowerBound))
        case .number: return 0
        case .boolean: return false
        case .any: return .null
        }
    }
}
