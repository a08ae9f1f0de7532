/// The part of JSON Schema (2020-12) that the service needs: it checks requests with it, and describes itself with it.
struct Schema: Sendable {
    indirect enum Kind: Sendable {
        case object([Property])
        case array(Schema)
        case string(Text)
        case integer(ClosedRange<Int64>)
        case number
        case boolean
        /// Whatever it is.
        case any
    }

    /// What a string must be.
    struct Text: Sendable {
        /// In Unicode scalars.
        var length: ClosedRange<Int>?
        /// For readers of the document; nothing is checked by it.
        var format: String?
        /// The only ones there are; empty: any.
        var values: [String] = []
        var pattern: Pattern?
    }

    /// A regular expression for readers of the document, with the function that checks the same.
    struct Pattern: Sendable {
        /// ECMA-262.
        var expression: String
        var matches: @Sendable (String) -> Bool
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
    /// What a client may send or see.
    var example: JSONValue?
    /// Of an object in a request: it has no other properties, and `null` in one that is not required means the same as
    /// nothing.
    var isClosed = false

    /// In an answer, to which later versions may add properties.
    static func object(named name: String, _ properties: [Property]) -> Self {
        Self(kind: .object(properties), name: name)
    }

    /// In a request.
    static func closedObject(named name: String, _ properties: [Property]) -> Self {
        Self(kind: .object(properties), name: name, isClosed: true)
    }

    static func array(of element: Self) -> Self { Self(kind: .array(element)) }

    static func string(
        length: ClosedRange<Int>? = nil, format: String? = nil, values: [String] = [], pattern: Pattern? = nil
    ) -> Self {
        Self(kind: .string(Text(length: length, format: format, values: values, pattern: pattern)))
    }

    static func integer(_ range: ClosedRange<Int64>) -> Self { Self(kind: .integer(range)) }

    static let number = Self(kind: .number)
    static let boolean = Self(kind: .boolean)
    static let any = Self(kind: .any)

    func noted(_ note: String) -> Self {
        var schema = self
        schema.note = note
        return schema
    }

    func example(_ value: JSONValue) -> Self {
        var schema = self
        schema.example = value
        return schema
    }
}

extension Schema.Property {
    static func required(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: true)
    }

    static func optional(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: false)
    }
}
