package import Replication

/// What a driver does next on one exchange: it sends the messages in order, then does one thing of `Next`.
package struct ExchangeStep: Hashable, Sendable {
    package enum Next: Hashable, Sendable {
        /// Receive one message, then report `.received`.
        case receive
        /// Ask the store, then report `.answered` or `.storeFailed`.
        case ask(WalkQuestion)
        /// Close the exchange once the messages are out, then report `.ended(nil)`.
        case close
    }

    package var messages: [[UInt8]]
    package var next: Next

    package init(sending messages: [[UInt8]] = [], then next: Next) {
        self.messages = messages
        self.next = next
    }
}
