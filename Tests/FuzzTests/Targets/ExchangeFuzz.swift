import Keys
import Membership
import Transport

@testable import TransportUDP

/// What a session makes of a whole conversation.
enum ExchangeFuzz {
    /// In a form that two runs can be compared by.
    struct Heard: Equatable {
        var messages: [[UInt8]] = []
        var written: [UInt8] = []
        var channel: Channel?
        var end: String?

        fileprivate mutating func note(_ outputs: [ExchangeSession.Output]) throws {
            for output in outputs {
                try require(end == nil, "something comes after the end")
                switch output {
                case .write(let bytes): written += bytes
                case .established(let channel, _):
                    try require(self.channel == nil, "established twice")
                    self.channel = channel
                case .message(let message):
                    try require(channel != nil, "a message comes before the handshake is over")
                    try require(message.count <= ExchangeSession.maxMessageBytes, "a message of \(message.count) bytes")
                    messages.append(message)
                case .ended: end = "ended"
                case .failed(let error, let refusal, let reply):
                    end = "\(error) \(String(describing: refusal))"
                    written += reply
                }
            }
        }
    }

    private static let key = (try? ClusterKey([UInt8](1...32)))?.subkey(for: .exchanges)

    /// Role, size of a read, stream. However the bytes are cut into reads, the same is heard.
    static func checkClear(_ input: [UInt8]) throws {
        guard input.count > 2 else { return }
        let role = [ExchangeSession.Role.acceptor, .dialler(.replication), .dialler(.membership)][Int(input[0]) % 3]
        let stream = input[2...]
        let whole = try hear(role, key: nil, stream, readBytes: stream.count)
        let parts = try hear(role, key: nil, stream, readBytes: max(1 + Int(input[1]), stream.count / 200))
        try require(whole == parts, "\(role) hears \(whole) in one read and \(parts) in several")
        let bytes = whole.messages.reduce(0) { $0 + $1.count }
        try require(bytes <= stream.count, "\(bytes) bytes in messages")
        try require(whole.written.count < 300, "\(whole.written.count) bytes are answered")
    }

    private static func hear(
        _ role: ExchangeSession.Role, key: Subkey?, _ stream: ArraySlice<UInt8>, readBytes: Int
    ) throws -> Heard {
        var session = ExchangeSession(role: role, key: key, membershipStreamEnd: MemberlistCodec.streamEnd)
        var heard = Heard()
        try heard.note(session.start())
        var rest = stream
        while !rest.isEmpty {
            try heard.note(session.receive(rest.prefix(readBytes)))
            rest = rest.dropFirst(readBytes)
        }
        try heard.note(session.receiveEnd())
        return heard
    }

    /// Two sessions with one key, and somebody between them who follows the input: how many messages, four sizes, then
    /// what happens to each piece that passes. What arrives is what was sent, up to where something was changed.
    ///
    /// The keys are fresh each time, since libsodium draws them: the same input makes the same changes to other bytes.
    static func checkSealed(_ input: [UInt8]) throws {
        var script = ByteReader(input)
        let count = Int((try? script.integer(UInt8.self)) ?? 0) % 5
        let sent = (0..<count).map { number -> [UInt8] in
            let size = Int((try? script.integer(UInt8.self)) ?? 0)
            return [UInt8](repeating: UInt8(number), count: size * (size > 250 ? 100 : 1))
        }
        var dialler = ExchangeSession(
            role: .dialler(.replication), key: key, membershipStreamEnd: MemberlistCodec.streamEnd)
        var acceptor = ExchangeSession(role: .acceptor, key: key, membershipStreamEnd: MemberlistCodec.streamEnd)
        var (here, there) = (Heard(), Heard())
        var isChanged = false
        func passed(_ bytes: [UInt8]) -> [UInt8] {
            let changed = change(bytes, &script)
            if changed != bytes { isChanged = true }
            return changed
        }
        try there.note(acceptor.start())
        try here.note(dialler.start())
        try there.note(acceptor.receive(passed(here.written)))
        here.written = []
        let answers = dialler.receive(passed(there.written))
        try here.note(answers)
        var frames = passed(here.written)
        for case .established(_, let writer) in answers {
            for message in sent { frames += passed(writer.frame(message)) }
            frames += passed(writer.end())
        }
        var rest = frames[...]
        while !rest.isEmpty {
            try there.note(acceptor.receive(rest.prefix(1_000)))
            rest = rest.dropFirst(1_000)
        }
        try there.note(acceptor.receiveEnd())
        try require(there.messages == Array(sent.prefix(there.messages.count)), "something arrives that was not sent")
        if isChanged {
            try require(there.end != "ended" || there.messages == sent, "an end is believed that nobody sent")
        } else {
            try require(there.messages == sent && there.end == "ended", "what was sent does not arrive: \(there)")
        }
        // A stranger without the key gets no further than the handshake.
        for role in [ExchangeSession.Role.acceptor, .dialler(.replication)] {
            let heard = try hear(role, key: key, frames[...], readBytes: 1_000)
            try require(heard.channel == nil && heard.end != nil, "\(role) believes a stranger")
        }
    }

    private static func change(_ bytes: [UInt8], _ script: inout ByteReader) -> [UInt8] {
        guard let operation = try? script.integer(UInt8.self), operation > 0,
            let index = try? script.integer(UInt8.self), !bytes.isEmpty
        else { return bytes }
        var bytes = bytes
        let place = Int(index) % bytes.count
        switch operation % 6 {
        case 0: bytes[place] ^= operation
        case 1: bytes.removeLast(bytes.count - place)
        case 2: bytes += bytes
        case 3: bytes = []
        case 4: bytes.insert(operation, at: place)
        default: bytes.remove(at: place)
        }
        return bytes
    }
}
