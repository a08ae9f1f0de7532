internal import HTTPTypes
internal import Hummingbird

/// Finds the parameters of a request in its path, its query and its headers, and reads each as its schema wants it.
struct ParameterReader {
    private let request: Request
    private var pathSegments: ArraySlice<Substring.UTF8View>
    /// Name and value, still percent-encoded; `nil` until somebody wants one.
    private var queryItems: [(name: Substring.UTF8View, value: Substring.UTF8View)]?

    /// - Parameter pathSegments: those that stand for parameters, in order, still percent-encoded.
    init(request: Request, pathSegments: [Substring.UTF8View]) {
        self.request = request
        self.pathSegments = pathSegments[...]
    }

    /// `nil` for what is not there, and after adding what does not fit. Parameters of the path are asked in its order.
    mutating func read(_ parameter: Operation.Parameter, _ faults: inout RequestFaults) -> ParameterValue? {
        switch parameter.place {
        case .path: return pathSegments.popFirst().flatMap { decode($0, parameter, &faults) }
        case .query:
            let values = queryValues(parameter.name)
            guard let value = values.first else { return nil }
            guard values.count == 1 else {
                faults.add("expected once", at: parameter.location, nil)
                return nil
            }
            return decode(value, parameter, &faults)
        case .header:
            guard let field = parameter.field, let text = request.headers[field] else { return nil }
            return parameter.schema.read(text, at: parameter.location, &faults)
        }
    }

    private func decode(
        _ raw: Substring.UTF8View, _ parameter: Operation.Parameter, _ faults: inout RequestFaults
    ) -> ParameterValue? {
        guard let text = PercentEncoding.decode(raw) else {
            faults.add("invalid percent-encoding", at: parameter.location, .string(String(Substring(raw))))
            return nil
        }
        return parameter.schema.read(text, at: parameter.location, &faults)
    }

    /// Parameters that nobody asks for are let through: clients add some against caches.
    private mutating func queryValues(_ name: String) -> [Substring.UTF8View] {
        let items = queryItems ?? Self.items(request.uri.query ?? "")
        queryItems = items
        return items.filter {
            $0.name.elementsEqual(name.utf8) || PercentEncoding.decode($0.name)?.isSame(as: name) == true
        }
        .map(\.value)
    }

    private static func items(_ query: String) -> [(name: Substring.UTF8View, value: Substring.UTF8View)] {
        query[...].utf8.split(separator: UInt8(ascii: "&")).map { item in
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (parts[0], parts.count > 1 ? parts[1] : item[item.endIndex...])
        }
    }
}
