internal import HTTPTypes
internal import Hummingbird

/// What a request demands of the representation as it is before anything is done (RFC 9110 §13).
struct Preconditions: Sendable {
    var ifMatch: EntityTagList?
    var ifNoneMatch: EntityTagList?

    init(_ arguments: Arguments) {
        ifMatch = arguments.text(Operation.Parameter.ifMatch.name).map { EntityTagList($0) }
        ifNoneMatch = arguments.text(Operation.Parameter.ifNoneMatch.name).map { EntityTagList($0) }
    }

    /// For a read: `nil`, or 304 in place of the representation. Throws the problem of an `If-Match` that is not met.
    func answer(for tag: EntityTag, _ headers: HTTPFields) throws(Problem) -> Response? {
        guard isMatchMet(tag) else { throw .preconditionFailed }
        guard !isNoneMatchMet(tag) else { return nil }
        var response = Response(status: .notModified, headers: headers)
        // They would be those of the whole answer (RFC 9110 §8.6, §15.4.5), which nobody has made.
        response.headers[.contentLength] = nil
        response.headers[.contentType] = nil
        return response
    }

    private func isMatchMet(_ tag: EntityTag) -> Bool {
        switch ifMatch {
        case nil, .any: true
        case .tags(let tags): tags.contains { $0.isStronglyEqual(to: tag) }
        }
    }

    private func isNoneMatchMet(_ tag: EntityTag) -> Bool {
        switch ifNoneMatch {
        case nil: true
        case .any: false
        case .tags(let tags): !tags.contains { $0.isWeaklyEqual(to: tag) }
        }
    }
}

extension Operation.Parameter {
    static let ifMatch = Operation.Parameter(
        "If-Match", in: .header, .string(),
        "ETags, or `*`. If the current one is none of them, or weak, nothing is done: 412.")
    static let ifNoneMatch = Operation.Parameter(
        "If-None-Match", in: .header, .string(),
        "ETags that the client has, or `*`. If the current one is among them, a read answers 304 without a body, and "
            + "a write 412.")
}
