/// The part of JSON Schema (2020-12) that the service needs: it checks requests with it, and describes itself with it.
struct Schema: Sendable {
    indirect enum Kind: Sendable {
        case object([Property])
        case array(Schema)
        /// Lengths count Unicode scalars.
        case string(minimumLength: Int?, maximumLength: Int?, format: String?, values: [String])
        case integer(minimum: Int64?)
        case number
        case boolean
    }

    struct Property: Sendable {
        var name: String
        var schema: Schema
        var isRequired: Bool
    }

    var kind: Kind
    /// Under which a document lists the schema once, for schemas that occur more than once.
    var name: String?
    var note: String?

    static func object(named name: String, _ properties: [Property]) -> Self {
        Self(kind: .object(properties), name: name)
    }

    static func array(of element: Self) -> Self { Self(kind: .array(element)) }

    static func string(length: ClosedRange<Int>? = nil, format: String? = nil, values: [String] = []) -> Self {
        Self(
            kind: .string(
                minimumLength: length?.lowerBound, maximumLength: length?.upperBound, format: format, values: values))
    }

    static func integer(minimum: Int64? = nil) -> Self { Self(kind: .integer(minimum: minimum)) }

    static let number = Self(kind: .number)
    static let boolean = Self(kind: .boolean)

    func noted(_ note: String) -> Self {
        var schema = self
        schema.note = note
        return schema
    }
}

extension Schema.Property {
    static func required(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: true)
    }

    /// `null` in a request means the same as nothing.
    static func optional(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: false)
    }
}
