// So that what the service says of itself can be written down as it looks.
extension JSONValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral text: String) { self = .string(text) }
    init(integerLiteral number: Int) { self = .number(String(number)) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(arrayLiteral values: JSONValue...) { self = .array(values) }
    /// Each name once.
    init(dictionaryLiteral members: (String, JSONValue)...) { self = .object(JSONObject(members)) }
}

extension JSONObject {
    /// Each name once.
    init(_ members: some Sequence<(String, JSONValue)>) {
        self.init(members: members.map { Member(name: $0.0, value: $0.1) })
    }

    /// A name that is not there yet.
    mutating func append(_ name: String, _ value: JSONValue) { members.append(Member(name: name, value: value)) }

    /// The same where there is something to say.
    mutating func append(_ name: String, ifAny text: String?) {
        if let text, !text.isEmpty { append(name, .string(text)) }
    }
}
