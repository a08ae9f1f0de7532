/// HTTP/2 as bytes (RFC 9113), written and read by hand, to say things that a proper client would not.
enum HTTP2Frames {
    enum Kind: UInt8 {
        case data = 0, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    struct Frame {
        var kind: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        /// Of a frame that resets a stream, or ends a connection.
        var errorCode: UInt32? {
            let bytes = kind == Kind.goAway.rawValue ? payload.dropFirst(4).prefix(4) : payload.prefix(4)
            return bytes.count == 4 ? bytes.reduce(0) { $0 << 8 | UInt32($1) } : nil
        }
    }

    static let endStream: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// A client's first bytes, with the window that each stream has at first.
    static func opening(window: UInt32 = 65_535) -> [UInt8] {
        preface + frame(.settings, payload: [0, 4] + bytes(window)) + frame(.settings, flags: 1)
    }

    static func frame(_ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) -> [UInt8] {
        Array(bytes(UInt32(payload.count)).dropFirst()) + [kind.rawValue, flags] + bytes(stream) + payload
    }

    /// A request's head: fields of HPACK's static table (RFC 7541 appendix A), and literals that are not indexed.
    static func head(
        _ method: String, _ path: String, _ fields: [(String, String)] = [], stream: UInt32, end: Bool
    ) -> [UInt8] {
        var block: [UInt8] = [0x87]
        block += literal(":method", method) + literal(":path", path) + literal(":authority", "x")
        for (name, value) in fields { block += literal(name, value) }
        return frame(.headers, flags: endHeaders | (end ? endStream : 0), stream: stream, payload: block)
    }

    static func literal(_ name: String, _ value: String) -> [UInt8] { [0] + string(name) + string(value) }

    /// The whole frames in `bytes`.
    static func parse(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = head[..<3].reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= 9 + length else { break }
            let stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) }
            let payload = Array(rest.dropFirst(9).prefix(length))
            frames.append(Frame(kind: head[3], flags: head[4], stream: stream, payload: payload))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }

    /// The first frame of that kind.
    static func first(_ kind: Kind, in bytes: [UInt8]) -> Frame? { parse(bytes).first { $0.kind == kind.rawValue } }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// A string of fewer than 127 bytes, without Huffman's code.
    private static func string(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
}
