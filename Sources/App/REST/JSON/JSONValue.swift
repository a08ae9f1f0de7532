/// A JSON value as it stood in the text. Strings keep their bytes, numbers their spelling, objects their order.
enum JSONValue: Sendable, Equatable {
    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let left), .boolean(let right)): left == right
        case (.number(let left), .number(let right)): left.isSame(as: right)
        case (.string(let left), .string(let right)): left.isSame(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

/// The members of a JSON object, each name once. Names are compared byte for byte: Swift's own comparison would take
/// names for equal that differ in Unicode normalisation only.
struct JSONObject: Sendable, Equatable {
    struct Member: Sendable, Equatable {
        var name: String
        var value: JSONValue

        static func == (left: Self, right: Self) -> Bool {
            left.name.isSame(as: right.name) && left.value == right.value
        }
    }

    var members: [Member] = []

    subscript(name: String) -> JSONValue? { members.first { $0.name.isSame(as: name) }?.value }

    /// `nil` when it is missing or no string.
    func string(_ name: String) -> String? {
        guard case .string(let text) = self[name] else { return nil }
        return text
    }

    /// `nil` when it is missing or no boolean.
    func boolean(_ name: String) -> Bool? {
        guard case .boolean(let value) = self[name] else { return nil }
        return value
    }
}
