internal import HTTPTypes

/// Finds the endpoint for a method and a path.
///
/// Paths are compared segment by segment after percent-decoding, so that an encoded slash stays inside its segment. No
/// parameter is empty; `/todos/` and `//todos` are nowhere.
struct RouteTable: Sendable {
    enum Match {
        /// With the segments that stand for parameters, still percent-encoded.
        case endpoint(Endpoint, parameters: [Substring.UTF8View])
        case methodNotAllowed(allow: String)
        case nothing

        /// Whether it is answered without a token, where others need one.
        var isOpen: Bool {
            switch self {
            case .endpoint(let endpoint, _): endpoint.operation.isOpen
            case .methodNotAllowed, .nothing: false
            }
        }
    }

    private enum Segment: Sendable {
        case literal(String)
        case parameter
    }

    private struct Route: Sendable {
        let path: String
        let segments: [Segment]
        var endpoints: [Endpoint]

        /// The parameters, if every literal is met.
        func parameters(in parts: [Substring.UTF8View]) -> [Substring.UTF8View]? {
            guard parts.count == segments.count else { return nil }
            var parameters: [Substring.UTF8View] = []
            for (segment, part) in zip(segments, parts) {
                switch segment {
                case .literal(let text):
                    guard part.elementsEqual(text.utf8) || PercentEncoding.decode(part)?.isSame(as: text) == true
                    else { return nil }
                case .parameter:
                    guard !part.isEmpty else { return nil }
                    parameters.append(part)
                }
            }
            return parameters
        }

        var allow: String {
            let methods = endpoints.map(\.operation.method)
            return (methods + (methods.contains(.get) ? [.head] : [])).map(\.rawValue).sorted().joined(separator: ", ")
        }
    }

    private var routes: [Route] = []

    init(_ endpoints: [Endpoint]) {
        for endpoint in endpoints {
            let path = endpoint.operation.path
            if let index = routes.firstIndex(where: { $0.path == path }) {
                routes[index].endpoints.append(endpoint)
                continue
            }
            let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                .map { $0.hasPrefix("{") ? Segment.parameter : .literal(String($0)) }
            routes.append(Route(path: path, segments: segments, endpoints: [endpoint]))
        }
    }

    /// `HEAD` finds what `GET` finds. `path` is without the query.
    func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
        var parts = path[...].utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count > 1, parts.removeFirst().isEmpty else { return .nothing }
        let wanted = method == .head ? .get : method
        var allowed: String?
        for route in routes {
            guard let parameters = route.parameters(in: parts) else { continue }
            if let endpoint = route.endpoints.first(where: { $0.operation.method == wanted }) {
                return .endpoint(endpoint, parameters: parameters)
            }
            allowed = allowed ?? route.allow
        }
        return allowed.map { .methodNotAllowed(allow: $0) } ?? .nothing
    }
}

enum PercentEncoding {
    /// The text that `bytes` stand for; a plus sign is a plus sign. `nil` for a percent sign without two hexadecimal
    /// digits, and for what is not UTF-8.
    static func decode(_ bytes: Substring.UTF8View) -> String? {
        guard bytes.contains(UInt8(ascii: "%")) else { return String(Substring(bytes)) }
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst()?.hexDigit, let low = rest.popFirst()?.hexDigit else { return nil }
                decoded.append(high << 4 | low)
            } else {
                decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? { Character(Unicode.Scalar(self)).hexDigitValue.map(UInt8.init) }
}
