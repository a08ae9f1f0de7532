internal import HTTPTypes
internal import Hummingbird

/// One thing that the API can do, described once: what routes a request, checks it, and documents it.
struct Operation: Sendable {
    enum Tag: String, Sendable, CaseIterable {
        case health, todos
    }

    /// A `{name}` in the path.
    struct Parameter: Sendable {
        var name: String
        var schema: Schema
    }

    /// What is answered when all went well.
    struct Answer: Sendable {
        var status: HTTPResponse.Status
        var note: String
        var schema: Schema?
        var headers: [HTTPField.Name] = []
    }

    var id: String
    var method: HTTPRequest.Method
    /// Segments, of which `{name}` stands for a parameter: `/todos/{id}`.
    var path: String
    var tag: Tag
    var summary: String
    var parameters: [Parameter] = []
    /// Of the request's body, an object; `nil`: none is read.
    var body: Schema?
    var answer: Answer
    /// With problem details, besides those that any operation may answer (500, and 503 until the node is ready).
    var errors: [HTTPResponse.Status] = []
    /// Answers also before the node is ready.
    var isAlwaysServed = false
}

/// An operation with what carries it out.
struct Endpoint: Sendable {
    var operation: Operation
    /// Throws a `Problem`, or anything else, which becomes a 500.
    var run: @Sendable (Arguments) async throws -> Response
}

/// What a request said, checked against the description of its operation.
struct Arguments: Sendable {
    /// In the order of the operation's parameters.
    var parameters: [ParameterValue] = []
    var body = JSONObject()
}
