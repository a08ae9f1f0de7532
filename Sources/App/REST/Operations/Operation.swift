internal import HTTPTypes
internal import Hummingbird

/// One thing that the API can do, described once: what routes a request, checks it, and documents it.
struct Operation: Sendable {
    enum Tag: String, Sendable, CaseIterable {
        case health, todos
        /// Of the service itself; not in the document.
        case service
    }

    /// What a request says outside of its body. Not a value, since each is looked at for every request.
    final class Parameter: Sendable {
        enum Place: String, Sendable {
            /// A `{name}` in the path; always there.
            case path
            case query, header
        }

        let name: String
        let place: Place
        /// Integer, boolean or string.
        let schema: Schema
        let note: String
        /// Where faults are: `query.limit`.
        let location: String
        /// Of one in the header.
        let field: HTTPField.Name?

        init(_ name: String, in place: Place, _ schema: Schema, _ note: String) {
            self.name = name
            self.place = place
            self.schema = schema
            self.note = note
            location = "\(place.rawValue).\(name)"
            field = place == .header ? HTTPField.Name(name) : nil
        }
    }

    /// What is answered when all went well.
    struct Answer: Sendable {
        var status: HTTPResponse.Status
        var note: String
        var schema: Schema?
        var headers: [Header] = []
    }

    /// A header of an answer.
    struct Header: Sendable {
        var name: HTTPField.Name
        var note: String
    }

    var id: String
    var method: HTTPRequest.Method
    /// Segments, of which `{name}` stands for a parameter: `/todos/{id}`.
    var path: String
    var tag: Tag
    var summary: String
    var note = ""
    /// Those of the path first, in its order.
    var parameters: [Parameter] = []
    /// Of the request's body, an object; `nil`: none is read.
    var body: Schema?
    var answer: Answer
    /// What else can come of it, besides what follows from the description: see `problems`.
    var errors: [Problem] = []
    /// Answers also before the node is ready, and asks nothing of the store.
    var isAlwaysServed = false
    /// Asks for no token, also where others do.
    var isOpen = false
}

extension Operation {
    var isConditional: Bool { parameters.contains { $0.place == .header } }

    var isRead: Bool { method == .get }

    /// Every problem that the operation can answer with, but for what concerns the connection only.
    ///
    /// - Parameter wantsToken: whether the node asks for one.
    func problems(limits: HTTPLimits, wantsToken: Bool) -> [Problem] {
        var problems = errors
        if wantsToken, !isOpen { problems += [.tokenRequired, .tokenUnknown, .tokenRepeated] }
        if isConditional { problems.append(.preconditionFailed) }
        if body != nil {
            problems += [
                .bodyRequired, .malformed(.sample), .tooSlow, .tooLarge(limit: limits.maximumBodyBytes),
                .unsupportedMediaType,
            ]
        }
        if let fault = sampleFault { problems.append(.invalid(RequestFaults(list: [fault]))) }
        if !isAlwaysServed { problems += [.unexpected, .storageFailed, .notReady, .unavailable, .storageFull] }
        return problems
    }

    /// A fault that a request can have; `nil` where there is nothing to get wrong.
    private var sampleFault: RequestFault? {
        if let body, case .object(let properties) = body.kind, let property = properties.last {
            var faults = RequestFaults()
            property.schema.check(.number("1"), at: "body.\(property.name)", &faults)
            return faults.list.first
        }
        guard let parameter = parameters.first(where: { $0.place != .header }) else { return nil }
        var faults = RequestFaults()
        _ = parameter.schema.read("", at: parameter.location, &faults)
        return faults.list.first
    }
}

extension Operation.Header {
    static let location = Self(name: .location, note: "The path of the new todo.")
    static let entityTag = Self(
        name: .eTag, note: "Names this state on this node, for `If-Match` and `If-None-Match`; strong.")
    static let listTag = Self(name: .eTag, note: "Names this state, for `If-None-Match`; weak.")
    static let link = Self(name: .link, note: "With `rel=\"next\"`: the next page, where there is one.")
}

extension HTTPField.Name {
    /// RFC 8288.
    static let link: Self = {
        guard let name = Self("Link") else { preconditionFailure("Link is no name of a header") }
        return name
    }()
}
