internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Store

/// The one form in which the service reports that a request failed: problem details (RFC 9457).
///
/// Nothing in it comes from inside the service but what is written in this folder.
struct Problem: Error, Equatable, Sendable {
    var status: HTTPResponse.Status
    var detail: String
    var faults: [RequestFault] = []
    /// Besides the content's own.
    var headers: HTTPFields = [:]

    /// Longer values are not sent back.
    static let maximumValueBytes = 4096
}

extension Problem {
    static let bodyRequired = Problem(status: .badRequest, detail: "request body is required")
    // RFC 6750 §3.1: who shows nothing is told no error code.
    static let tokenRequired = Problem(
        status: .unauthorized, detail: "an access token is required", headers: .bearerChallenge())
    static let tokenUnknown = Problem(
        status: .unauthorized, detail: "the access token is not valid", headers: .bearerChallenge("invalid_token"))
    static let tokenRepeated = Problem(
        status: .badRequest, detail: "there is more than one Authorization header",
        headers: .bearerChallenge("invalid_request"))
    static let notFound = Problem(status: .notFound, detail: "there is nothing at this path")
    static let noSuchTodo = Problem(status: .notFound, detail: "todo not found")
    static let preconditionFailed = Problem(
        status: .preconditionFailed, detail: "the todo is not, or no longer, as If-Match or If-None-Match demands")
    static let duplicate = Problem(status: .conflict, detail: "a todo with this extern_id already exists")
    static func tooLarge(limit: Int) -> Self {
        Self(
            status: .contentTooLarge, detail: "the request body is over \(limit) bytes",
            headers: [.connection: "close"])
    }
    static let unreadable = Problem(
        status: .badRequest, detail: "the request is not HTTP, or its header is too long")
    static let unknownCoding = Problem(status: .notImplemented, detail: "the transfer coding is not known")
    static let headersTooLarge = Problem(
        status: .requestHeaderFieldsTooLarge, detail: "the request's header has too many fields, or one is too long",
        headers: [.connection: "close"])
    static let tooSlow = Problem(
        status: .requestTimeout, detail: "the request body took too long", headers: [.connection: "close"])
    static let notReady = Problem(
        status: .serviceUnavailable, detail: "the node is still syncing", headers: [.retryAfter: "1"])
    static let unavailable = Problem(
        status: .serviceUnavailable, detail: "the node cannot answer at the moment", headers: [.retryAfter: "1"])
    static let storageFull = Problem(status: .insufficientStorage, detail: "the node's disk is full")
    static let storageFailed = Problem(
        status: .internalServerError, detail: "the node cannot read or write its disk")
    static let unexpected = Problem(status: .internalServerError, detail: "unexpected error")

    static func methodNotAllowed(allow: String) -> Self {
        Self(status: .methodNotAllowed, detail: "the method is not allowed here", headers: [.allow: allow])
    }

    static let unsupportedMediaType = Problem(
        status: .unsupportedMediaType, detail: "unknown content type",
        faults: [RequestFault(message: "expected application/json", location: "body")])

    static func malformed(_ error: JSONSyntaxError) -> Self {
        let fault = RequestFault(message: "\(error)", location: "body")
        return Self(status: .badRequest, detail: "malformed JSON", faults: [fault])
    }

    static func invalid(_ faults: RequestFaults) -> Self {
        Self(status: .unprocessableEntity, detail: "validation failed", faults: faults.list)
    }

    /// What the client is told of an error of the service.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as StoreError: self.init(error)
        case is CancellationError: self = .unavailable
        default: self = .unexpected
        }
    }

    private init(_ error: StoreError) {
        switch error {
        case .refused: self = .preconditionFailed
        case .diskFull: self = .storageFull
        case .overloaded, .closed, .busy: self = .unavailable
        case .cannotOpen, .notADatabase, .foreign, .newerVersion, .inUse, .invalidRow, .ioError, .corrupt, .tooLarge,
            .failed, .rowChanged, .stampsUsedUp:
            self = .storageFailed
        }
    }

    /// `application/problem+json`: `json` as an answer.
    func response() -> Response {
        var fields = headers
        fields[.contentType] = Self.mediaType
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: json))
    }

    static let mediaType = "application/problem+json"

    /// Title, status, detail, and the faults as `errors`.
    var json: ByteBuffer {
        var body = ByteBuffer()
        body.writeStaticString(#"{"title":"#)
        body.writeJSON(status.reasonPhrase)
        body.writeStaticString(#","status":"#)
        body.writeString(String(status.code))
        body.writeStaticString(#","detail":"#)
        body.writeJSON(detail)
        if !faults.isEmpty {
            body.writeStaticString(#","errors":["#)
            for (index, fault) in faults.enumerated() {
                if index > 0 { body.writeStaticString(",") }
                body.write(fault)
            }
            body.writeStaticString("]")
        }
        body.writeStaticString("}")
        return body
    }
}

extension ByteBuffer {
    fileprivate mutating func write(_ fault: RequestFault) {
        writeStaticString(#"{"message":"#)
        writeJSON(fault.message)
        writeStaticString(#","location":"#)
        writeJSON(fault.location)
        if let value = fault.value {
            let end = writerIndex
            writeStaticString(#","value":"#)
            let start = writerIndex
            writeJSON(value)
            if writerIndex - start > Problem.maximumValueBytes { moveWriterIndex(to: end) }
        }
        writeStaticString("}")
    }
}

extension HTTPFields {
    /// RFC 6750 §3.
    fileprivate static func bearerChallenge(_ error: String? = nil) -> HTTPFields {
        let suffix = error.map { ", error=\"\($0)\"" } ?? ""
        return [.wwwAuthenticate: "Bearer realm=\"auto-cluster-sync\"\(suffix)"]
    }
}

extension HTTPResponse.Status {
    /// RFC 4918 §11.5.
    static let insufficientStorage = Self(code: 507, reasonPhrase: "Insufficient Storage")

    /// RFC 9110 calls it "Unprocessable Content"; clients know it by the older name.
    static let unprocessableEntity = Self(code: 422, reasonPhrase: "Unprocessable Entity")
}
