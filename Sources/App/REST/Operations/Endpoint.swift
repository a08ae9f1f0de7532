internal import Hummingbird

/// An operation with what carries it out.
///
/// Not a value, since one is handed about for every request, and copying a description costs more than finding it.
final class Endpoint: Sendable {
    let operation: Operation
    /// Throws a `Problem`, or anything else, which becomes a 500.
    let run: @Sendable (Arguments) async throws -> Response

    init(operation: Operation, run: @escaping @Sendable (Arguments) async throws -> Response) {
        self.operation = operation
        self.run = run
    }
}

/// What a request said, checked against the description of its operation.
struct Arguments: Sendable {
    /// In the order of the operation's parameters; `nil` for what is not there.
    var parameters: [(name: String, value: ParameterValue?)] = []
    var body = JSONObject()
    /// Whether there still is a client: what takes long asks before each part of it.
    var isWanted: @Sendable () -> Bool = { true }

    subscript(name: String) -> ParameterValue? { parameters.first { $0.name.isSame(as: name) }?.value }

    /// `nil` when it is missing or no text.
    func text(_ name: String) -> String? {
        guard case .text(let text) = self[name] else { return nil }
        return text
    }
}
