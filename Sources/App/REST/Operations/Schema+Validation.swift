/// One thing that is wrong with a request.
struct RequestFault: Sendable, Equatable {
    var message: String
    /// `body.todo`, `path.id`, `query.limit`, `header.If-Match`.
    var location: String
    /// What was found there.
    var value: JSONValue?
}

/// The faults of one request, so many of them as are worth telling.
struct RequestFaults: Sendable {
    static let maximumCount = 100
    private(set) var list: [RequestFault]

    init(list: [RequestFault] = []) { self.list = list }

    mutating func add(_ message: String, at location: String, _ value: JSONValue?) {
        guard list.count < Self.maximumCount else { return }
        list.append(RequestFault(message: message, location: location, value: value))
    }
}

/// What a parameter says, read as its schema wants it.
enum ParameterValue: Sendable, Equatable {
    case integer(Int64)
    case boolean(Bool)
    case text(String)
}

extension Schema {
    /// Editors put it into what they write; it is let through in every object, and means nothing.
    static let schemaMember = "$schema"

    /// Adds everything about `value` that does not fit.
    func check(_ value: JSONValue, at location: String, _ faults: inout RequestFaults) {
        switch (kind, value) {
        case (.object(let properties), .object(let object)):
            check(object, properties, isClosed: isClosed, at: location, &faults)
        case (.array(let element), .array(let values)):
            for (index, value) in values.enumerated() { element.check(value, at: "\(location)[\(index)]", &faults) }
        case (.string, .string(let text)):
            checkText(text, at: location, &faults)
        case (.integer(let range), .number(let text)):
            guard let integer = Int64(text) else { return faults.add("expected integer", at: location, value) }
            check(integer, range, at: location, value, &faults)
        case (.number, .number), (.boolean, .boolean), (.any, _):
            break
        case (.object, _): faults.add("expected object", at: location, value)
        case (.array, _): faults.add("expected array", at: location, value)
        case (.string, _): faults.add("expected string", at: location, value)
        case (.integer, _): faults.add("expected integer", at: location, value)
        case (.number, _): faults.add("expected number", at: location, value)
        case (.boolean, _): faults.add("expected boolean", at: location, value)
        }
    }

    /// Reads the text of a parameter; `nil` after adding what does not fit.
    func read(_ text: String, at location: String, _ faults: inout RequestFaults) -> ParameterValue? {
        let faultCount = faults.list.count
        switch kind {
        case .integer(let range):
            // Int64's own reader takes a plus sign, which is none here.
            guard let integer = Int64(text), text.utf8.first != UInt8(ascii: "+") else {
                faults.add("invalid integer", at: location, .string(text))
                return nil
            }
            check(integer, range, at: location, .number(String(integer)), &faults)
            return faults.list.count == faultCount ? .integer(integer) : nil
        case .boolean:
            guard let value = ["true": true, "false": false].first(where: { $0.key.isSame(as: text) })?.value else {
                faults.add("expected true or false", at: location, .string(text))
                return nil
            }
            return .boolean(value)
        case .string, .number, .array, .object, .any:
            checkText(text, at: location, &faults)
            return faults.list.count == faultCount ? .text(text) : nil
        }
    }

    private func check(
        _ object: JSONObject, _ properties: [Property], isClosed: Bool, at location: String,
        _ faults: inout RequestFaults
    ) {
        for property in properties {
            guard let value = object[property.name] else {
                guard property.isRequired else { continue }
                let message = "expected required property \(property.name) to be present"
                faults.add(message, at: location, .object(object))
                continue
            }
            if isClosed, value == .null, !property.isRequired { continue }
            property.schema.check(value, at: "\(location).\(property.name)", &faults)
        }
        guard isClosed else { return }
        for member in object.members {
            if properties.contains(where: { $0.name.isSame(as: member.name) })
                || member.name.isSame(as: Self.schemaMember)
            {
                continue
            }
            faults.add("unexpected property", at: "\(location).\(member.name.shortened)", member.value)
        }
    }

    private func check(
        _ integer: Int64, _ range: ClosedRange<Int64>, at location: String, _ value: JSONValue,
        _ faults: inout RequestFaults
    ) {
        if integer < range.lowerBound { faults.add("expected number >= \(range.lowerBound)", at: location, value) }
        if integer > range.upperBound { faults.add("expected number <= \(range.upperBound)", at: location, value) }
    }

    private func checkText(_ text: String, at location: String, _ faults: inout RequestFaults) {
        guard case .string(let rule) = kind else { return }
        if let range = rule.length {
            let length = text.unicodeScalars.count
            if length < range.lowerBound {
                faults.add("expected length >= \(range.lowerBound)", at: location, .string(text))
            }
            if length > range.upperBound {
                faults.add("expected length <= \(range.upperBound)", at: location, .string(text))
            }
        }
        if !rule.values.isEmpty, !rule.values.contains(where: { $0.isSame(as: text) }) {
            faults.add("expected one of \(rule.values.joined(separator: ", "))", at: location, .string(text))
        }
        if let pattern = rule.pattern, !pattern.matches(text) {
            faults.add("expected \(pattern.expression)", at: location, .string(text))
        }
    }
}

extension String {
    /// A name that came from a client, no longer than is useful in a message.
    fileprivate var shortened: String {
        unicodeScalars.count <= 100 ? self : String(String.UnicodeScalarView(unicodeScalars.prefix(100))) + "…"
    }
}
