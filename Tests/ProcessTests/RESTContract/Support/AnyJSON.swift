import Foundation

/// Any JSON, read by Foundation.
enum AnyJSON: Decodable, Equatable, Sendable {
    enum Kind: Equatable, Sendable { case null, boolean, number, text, array, object }

    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case array([Self])
    case object([String: Self])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([Self].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: Self].self))
        }
    }

    var kind: Kind {
        switch self {
        case .null: .null
        case .boolean: .boolean
        case .number: .number
        case .text: .text
        case .array: .array
        case .object: .object
        }
    }

    /// Of the members of an object; of anything else none.
    var kinds: [String: Kind] { members.mapValues(\.kind) }

    var members: [String: Self] {
        guard case .object(let members) = self else { return [:] }
        return members
    }

    var elements: [Self] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    var integer: Int? {
        guard case .number(let number) = self else { return nil }
        return Int(exactly: number)
    }

    subscript(name: String) -> Self? { members[name] }
}

extension AnyJSON {
    static let todoShape: [String: Kind] = [
        "id": .number, "extern_id": .text, "todo": .text, "completed": .boolean, "created_at": .text,
    ]

    /// `2026-01-02T03:04:05.678Z`: UTC with `Z` and three digits.
    static func isTimestamp(_ text: String) -> Bool {
        text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
    }

    var isTodo: Bool {
        kinds == Self.todoShape && (self["id"]?.integer ?? 0) >= 1
            && self["created_at"]?.text.map(Self.isTimestamp) == true
    }
}
