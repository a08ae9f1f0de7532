/// Where the outcome of a request goes, from the writer's thread.
typealias Reply<Value> = (Result<Value, StoreError>) -> Void

/// A write by a user of this node, of one row mostly, that somebody waits for.
protocol LocalRequest: AnyObject {
    /// Of its key and text.
    var bytes: Int { get }
    /// Within a transaction. May be called again when that one was rolled back.
    func run(_ core: WriterCore) throws(StoreError)
    /// After the commit.
    func answer()
    func fail(_ error: StoreError)
}

/// The request whose answer is a `Value`.
///
/// Not `Sendable`: handed over under the queue's lock, then used by the writer alone.
final class LocalWrite<Value: Sendable>: LocalRequest {
    let bytes: Int
    private let body: (WriterCore) throws(StoreError) -> Value
    private let reply: Reply<Value>
    private var outcome: Result<Value, StoreError> = .failure(.closed)

    init(
        bytes: Int, reply: @escaping Reply<Value>, _ body: @escaping (WriterCore) throws(StoreError) -> Value
    ) {
        self.bytes = bytes
        self.body = body
        self.reply = reply
    }

    func run(_ core: WriterCore) throws(StoreError) {
        do throws(StoreError) {
            outcome = .success(try body(core))
        } catch .refused {
            // No failure of the transaction: nothing was written. Told after the commit as all answers, since the state that
            // refused may have been written by a neighbour in it.
            outcome = .failure(.refused)
        }
    }

    func answer() { reply(outcome) }

    func fail(_ error: StoreError) { reply(.failure(error)) }
}
