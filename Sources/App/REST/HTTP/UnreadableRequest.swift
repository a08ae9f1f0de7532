internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Gives what cannot be read as HTTP/1 an answer in the form of all other errors: the library's own has neither a date,
/// which RFC 9110 §6.6.1 demands, nor a body.
///
/// A part of `ConnectionGuard`, since a handler of its own would cost every part of every answer.
struct UnreadableRequest {
    /// Comes up the pipeline when the parser has no objection and somebody else has.
    struct Refusal: Error {
        var problem: Problem
        var isHead: Bool
    }

    private let date: HTTPDate
    private var refusal: Refusal?

    init(date: HTTPDate) { self.date = date }

    /// What goes up the pipeline in place of `error`.
    ///
    /// - Parameter isHead: of the request that is being read.
    mutating func note(_ error: any Error, isHead: Bool) -> any Error {
        switch error {
        case let error as Refusal:
            refusal = error
            // The library answers only errors of this type.
            return HTTPParserError.unknown
        case is HTTPParserError:
            if refusal == nil { refusal = Refusal(problem: .unreadable, isHead: isHead) }
            return error
        default: return error
        }
    }

    /// The library's answer, completed: its head, and a body where there is one. `nil` for any other part.
    mutating func completed(_ part: HTTPResponsePart) -> (head: HTTPResponse, body: ByteBuffer?)? {
        // Answers to requests before that one may come first, but have a date.
        guard let refusal, case .head(var head) = part, head.headerFields[.date] == nil else { return nil }
        self.refusal = nil
        let body = refusal.problem.json
        head.status = refusal.problem.status
        head.headerFields[.date] = date.now
        head.headerFields[.contentType] = Problem.mediaType
        head.headerFields[.contentLength] = String(body.readableBytes)
        return (head, refusal.isHead ? nil : body)
    }
}
