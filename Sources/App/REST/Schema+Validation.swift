/// One thing that is wrong with a request.
struct RequestFault: Sendable, Equatable {
    var message: String
    /// `body.todo`, `path.id`.
    var location: String
    /// What was found there.
    var value: JSONValue?
}

/// The faults of one request, so many of them as are worth telling.
struct RequestFaults: Sendable {
    static let maximumCount = 100
    private(set) var list: [RequestFault] = []

    mutating func add(_ message: String, at location: String, _ value: JSONValue?) {
        guard list.count < Self.maximumCount else { return }
        list.append(RequestFault(message: message, location: location, value: value))
    }
}

/// What a parameter of a path says, read as its schema wants it.
enum ParameterValue: Sendable, Equatable {
    case integer(Int64)
    case text(String)
}

extension Schema {
    /// Adds everything about `value` that does not fit.
    func check(_ value: JSONValue, at location: String, _ faults: inout RequestFaults) {
        switch (kind, value) {
        case (.object(let properties), .object(let object)):
            check(object, properties, at: location, &faults)
        case (.array(let element), .array(let values)):
            for (index, value) in values.enumerated() { element.check(value, at: "\(location)[\(index)]", &faults) }
        case (.string, .string(let text)):
            checkText(text, at: location, &faults)
        case (.integer(let minimum), .number(let text)):
            guard let integer = Int64(text) else { return faults.add("expected integer", at: location, value) }
            check(integer, minimum: minimum, at: location, value, &faults)
        case (.number, .number), (.boolean, .boolean):
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
        case .integer(let minimum):
            // Int64's own reader takes a plus sign, which is none here.
            guard let integer = Int64(text), text.utf8.first != UInt8(ascii: "+") else {
                faults.add("invalid integer", at: location, .string(text))
                return nil
            }
            check(integer, minimum: minimum, at: location, .number(String(integer)), &faults)
            return faults.list.count == faultCount ? .integer(integer) : nil
        default:
            checkText(text, at: location, &faults)
            return faults.list.count == faultCount ? .text(text) : nil
        }
    }

    private func check(
        _ object: JSONObject, _ properties: [Property], at location: String, _ faults: inout RequestFaults
    ) {
        for property in properties {
            guard let value = object[property.name] else {
                guard property.isRequired else { continue }
                let message = "expected required property \(property.name) to be present"
                faults.add(message, at: location, .object(object))
                continue
            }
            if value == .null, !property.isRequired { continue }
            property.schema.check(value, at: "\(location).\(property.name)", &faults)
        }
        for member in object.members {
            if properties.contains(where: { $0.name.isSame(as: member.name) }) || member.name.isSame(as: "$schema") {
                continue
            }
            faults.add("unexpected property", at: "\(location).\(member.name.shortened)", member.value)
        }
    }

    private func check(
        _ integer: Int64, minimum: Int64?, at location: String, _ value: JSONValue, _ faults: inout RequestFaults
    ) {
        if let minimum, integer < minimum { faults.add("expected number >= \(minimum)", at: location, value) }
    }

    private func checkText(_ text: String, at location: String, _ faults: inout RequestFaults) {
        guard case .string(let minimum, let maximum, _, let values) = kind else { return }
        let length = text.unicodeScalars.count
        if let minimum, length < minimum { faults.add("expected length >= \(minimum)", at: location, .string(text)) }
        if let maximum, length > maximum { faults.add("expected length <= \(maximum)", at: location, .string(text)) }
        if !values.isEmpty, !values.contains(where: { $0.isSame(as: text) }) {
            faults.add("expected one of \(values.joined(separator: ", "))", at: location, .string(text))
        }
    }
}

extension String {
    /// A name that came from a client, no longer than is useful in a message.
    fileprivate var shortened: String {
        unicodeScalars.count <= 100 ? self : String(String.UnicodeScalarView(unicodeScalars.prefix(100))) + "…"
    }
}
