import Transport

@testable import TransportZMQ

/// Makes input that is nearly right: samples of which bytes are changed, left out, doubled or cut off, and now and then
/// bytes at random. The same seed makes the same input.
struct Mutator {
    /// One of each kind, with numbers that are in use and others.
    static let linkMessages: [[UInt8]] = {
        let hello = Hello(stream: 77, port: 1_000, publishPort: 2_000, publishHost: .v4(0x7f00_0001))
        let messages: [LinkMessage] = [
            .hello(hello), .welcome(hello), .refusal(versions: 1...9), .unicast(.membership, message: [1, 2, 3]),
            .unicast(.replication, message: [UInt8](repeating: 4, count: 200)), .subscribed, .ping,
            .arrived(bytes: 300_000), .open(exchange: 1, .membership), .open(exchange: 2, .replication),
            .accepted(exchange: 1), .reset(exchange: 2, .busy), .data(exchange: 1, endsMessage: false, bytes: [5, 6]),
            .data(exchange: 2, endsMessage: true, bytes: [UInt8](repeating: 7, count: 2_000)),
            .credit(exchange: 1, bytes: 1_000), .end(exchange: 2),
        ]
        return messages.map { $0.encoded() }
    }()

    private var generator: SeededGenerator
    private let samples: [[UInt8]]

    init(seed: UInt64, samples: [[UInt8]]) {
        generator = SeededGenerator(seed: seed)
        self.samples = samples
    }

    mutating func next() -> [UInt8] {
        if number(below: 20) == 0 { return (0..<number(below: 60)).map { _ in byte() } }
        var bytes = samples[number(below: samples.count)]
        for _ in 0..<number(below: 4) {
            // The head of a message decides more than its body.
            let index = number(below: min(bytes.count, number(below: 3) == 0 ? bytes.count : 16) + 1)
            switch number(below: 5) {
            case 0: bytes.removeLast(number(below: bytes.count + 1))
            case 1: bytes.insert(contentsOf: (0...number(below: 8)).map { _ in byte() }, at: index)
            case 2 where index < bytes.count: bytes.remove(at: index)
            case 3 where index < bytes.count: bytes[index] ^= 1 << UInt8(number(below: 8))
            default: if index < bytes.count { bytes[index] = [0, 1, 0x7f, 0x80, 0xff, byte()][number(below: 6)] }
            }
        }
        return bytes
    }

    private mutating func number(below limit: Int) -> Int { limit < 1 ? 0 : .random(in: 0..<limit, using: &generator) }

    private mutating func byte() -> UInt8 { .random(in: 0...255, using: &generator) }
}
