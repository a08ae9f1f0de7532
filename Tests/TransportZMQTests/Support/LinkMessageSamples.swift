import Transport

@testable import TransportZMQ

enum LinkMessageSamples {
    /// One of each kind, with numbers that are in use and others.
    static let encoded: [[UInt8]] = {
        let hello = Hello(stream: 77, port: 1_000, publishPort: 2_000, publishHost: .v4(0x7f00_0001))
        let messages: [LinkMessage] = [
            .hello(hello), .welcome(hello), .refusal(versions: 1...9), .unicast(.membership, message: [1, 2, 3]),
            .unicast(.replication, message: [UInt8](repeating: 4, count: 200)), .subscribed, .ping,
            .unicasts(.membership, messages: [[1], [], [2, 3]]),
            .unicasts(.replication, messages: [[UInt8](repeating: 4, count: 200), [5], [6, 7]]),
            .arrived(bytes: 300_000), .open(exchange: 1, .membership), .open(exchange: 2, .replication),
            .accepted(exchange: 1), .reset(exchange: 2, .busy), .data(exchange: 1, endsMessage: false, bytes: [5, 6]),
            .data(exchange: 2, endsMessage: true, bytes: [UInt8](repeating: 7, count: 2_000)),
            .credit(exchange: 1, bytes: 1_000), .end(exchange: 2),
        ]
        return messages.map { $0.encoded() }
    }()
}
