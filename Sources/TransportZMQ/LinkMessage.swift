package import Transport
import TransportKit

/// What passes between a DEALER and a ROUTER, one ZMTP frame each, behind the routing id on the ROUTER's side. Integers
/// are big-endian.
///
///     hello       u8 01, see `Hello`                  who connects says who it is
///     welcome     u8 02, see `Hello`                  the answer
///     refusal     u8 03, magic, lowest u8, highest u8, whatever follows    no version in common
///     unicast     u8 04, channel u8, message          to the end
///     subscribed  u8 05                               the sender gets the receiver's broadcasts from now on
///     ping        u8 06                               nothing; the connection is there
///     arrived     u8 07, bytes u32                    so much arrived since the last such message
///     unicasts    u8 08, channel u8, messages, two or more, to the end:
///                 length u32, `length` bytes          several unicasts that waited together, in order
///     open        u8 10, exchange u32, channel u8     the sender wants an exchange
///     accepted    u8 11, exchange u32
///     reset       u8 12, exchange u32, reason u8 (1 busy, 2 closed)
///     data        u8 13, exchange u32, flags u8 (bit 0: ends its message; others 0), bytes to the end
///     credit      u8 14, exchange u32, bytes u32      so many bytes were read
///     end         u8 15, exchange u32                 nothing more comes, and nothing more is read
///
/// What arrives of unicast, unicasts and data counts: the bytes behind channel or flags and `frameCost` for each frame.
///
/// Types are hexadecimal. Hello, welcome and refusal never change. The others are of the version that both agreed on;
/// bytes after their last field are malformed.
package enum LinkMessage: Hashable, Sendable {
    case hello(Hello)
    case welcome(Hello)
    /// The versions that the sender speaks.
    case refusal(versions: ClosedRange<UInt8>)
    case unicast(Channel, message: [UInt8])
    /// At least two.
    case unicasts(Channel, messages: [[UInt8]])
    case subscribed
    case ping
    case arrived(bytes: UInt32)
    case open(exchange: UInt32, Channel)
    case accepted(exchange: UInt32)
    case reset(exchange: UInt32, ResetReason)
    case data(exchange: UInt32, endsMessage: Bool, bytes: [UInt8])
    case credit(exchange: UInt32, bytes: UInt32)
    case end(exchange: UInt32)

    /// Why an exchange is not there, or no longer.
    package enum ResetReason: UInt8, Hashable, Sendable {
        /// Too many exchanges at once.
        case busy = 1
        case closed = 2
    }

    private enum Kind: UInt8 {
        case hello = 0x01
        case welcome = 0x02
        case refusal = 0x03
        case unicast = 0x04
        case subscribed = 0x05
        case ping = 0x06
        case arrived = 0x07
        case unicasts = 0x08
        case open = 0x10
        case accepted = 0x11
        case reset = 0x12
        case data = 0x13
        case credit = 0x14
        case end = 0x15
    }

    private static let endsMessageFlag: UInt8 = 1
    /// Bytes of `unicasts` before the first message, and of `unicast` before its own.
    static let unicastHeaderBytes = 2
    /// Bytes that a message takes in `unicasts` besides itself.
    static let packedOverheadBytes = 4
    /// What such a frame counts besides its bytes, so that many small ones are bounded too.
    static let frameCost = 1024

    /// The frame.
    package func encoded() -> [UInt8] {
        switch self {
        case .hello(let hello): return Self.frame(.hello) { hello.append(to: &$0) }
        case .welcome(let hello): return Self.frame(.welcome) { hello.append(to: &$0) }
        case .refusal(let versions): return Self.frame(.refusal) { Hello.append(versions, to: &$0) }
        case .unicast(let channel, let message):
            return Self.frame(.unicast, capacity: message.count + 1) {
                $0.append(channel.rawValue)
                $0 += message
            }
        case .unicasts(let channel, let messages): return Self.packed(messages, channel)
        case .subscribed: return Self.frame(.subscribed) { _ in }
        case .ping: return Self.frame(.ping) { _ in }
        case .arrived(let bytes): return Self.frame(.arrived) { $0.append(bigEndian: bytes) }
        case .open(let exchange, let channel):
            return Self.frame(.open, exchange) { $0.append(channel.rawValue) }
        case .accepted(let exchange): return Self.frame(.accepted, exchange) { _ in }
        case .reset(let exchange, let reason): return Self.frame(.reset, exchange) { $0.append(reason.rawValue) }
        case .data(let exchange, let endsMessage, let bytes):
            return Self.frame(.data, exchange, capacity: bytes.count + 1) {
                $0.append(endsMessage ? Self.endsMessageFlag : 0)
                $0 += bytes
            }
        case .credit(let exchange, let bytes): return Self.frame(.credit, exchange) { $0.append(bigEndian: bytes) }
        case .end(let exchange): return Self.frame(.end, exchange) { _ in }
        }
    }

    /// The frame of `unicasts`, of which there must be two at least.
    static func packed(_ messages: some Collection<[UInt8]>, _ channel: Channel) -> [UInt8] {
        precondition(messages.count >= 2, "\(messages.count) messages are packed")
        let bytes = messages.reduce(0) { $0 + packedOverheadBytes + $1.count }
        return frame(.unicasts, capacity: bytes + 1) {
            $0.append(channel.rawValue)
            for message in messages {
                $0.append(bigEndian: UInt32(message.count))
                $0 += message
            }
        }
    }

    /// Reads one frame without its routing id. The memory is needed during the call only; what is kept is copied once.
    static func decode(_ frame: UnsafeRawBufferPointer) throws(WireError) -> Self {
        var reader = WireReader(frame)
        let type: UInt8 = try reader.integer()
        guard let kind = Kind(rawValue: type) else { throw .unsupported(.type(type)) }
        // Whatever follows the layouts that never change is for later versions.
        switch kind {
        case .hello: return .hello(try Hello(from: &reader))
        case .welcome: return .welcome(try Hello(from: &reader))
        case .refusal: return .refusal(versions: try Hello.readVersions(from: &reader))
        case .unicast, .unicasts, .subscribed, .ping, .arrived, .open, .accepted, .reset, .data, .credit, .end: break
        }
        let message = try read(kind, from: &reader)
        guard reader.isAtEnd else { throw .malformed }
        return message
    }

    /// Reads one frame without its routing id.
    package static func decode(_ frame: [UInt8]) throws(WireError) -> Self {
        try frame.span.bytes.withUnsafeBytes { (bytes) throws(WireError) in try decode(bytes) }
    }

    /// Reads one frame of libzmq.
    static func result(_ frame: borrowing ZMQFrame) -> Result<Self, WireError> {
        do throws(WireError) { return .success(try decode(frame.bytes)) } catch { return .failure(error) }
    }

    private static func read(_ kind: Kind, from reader: inout WireReader) throws(WireError) -> Self {
        switch kind {
        case .hello, .welcome, .refusal: throw .malformed
        case .unicast: return .unicast(try reader.channel(), message: reader.rest())
        case .unicasts:
            let channel = try reader.channel()
            var messages: [[UInt8]] = []
            repeat {
                guard let length = Int(exactly: try reader.integer(UInt32.self)) else { throw .malformed }
                messages.append(try reader.run(length))
            } while !reader.isAtEnd
            // One alone has a form of its own.
            guard messages.count >= 2 else { throw .malformed }
            return .unicasts(channel, messages: messages)
        case .subscribed: return .subscribed
        case .ping: return .ping
        case .arrived: return .arrived(bytes: try reader.integer())
        case .open: return .open(exchange: try reader.integer(), try reader.channel())
        case .accepted: return .accepted(exchange: try reader.integer())
        case .reset:
            let exchange: UInt32 = try reader.integer()
            guard let reason = ResetReason(rawValue: try reader.integer()) else { throw .malformed }
            return .reset(exchange: exchange, reason)
        case .data:
            let exchange: UInt32 = try reader.integer()
            let flags: UInt8 = try reader.integer()
            guard flags & ~endsMessageFlag == 0 else { throw .malformed }
            return .data(exchange: exchange, endsMessage: flags == endsMessageFlag, bytes: reader.rest())
        case .credit: return .credit(exchange: try reader.integer(), bytes: try reader.integer())
        case .end: return .end(exchange: try reader.integer())
        }
    }

    private static func frame(
        _ kind: Kind, _ exchange: UInt32? = nil, capacity: Int = 16, _ body: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(5 + capacity)
        bytes.append(kind.rawValue)
        if let exchange { bytes.append(bigEndian: exchange) }
        body(&bytes)
        return bytes
    }
}

/// Why a frame from the network cannot be used.
package enum WireError: Error, Hashable, Sendable {
    /// It ends too early or too late, or a field has a value that it cannot have.
    case malformed
    /// A later version of this transport may know it.
    case unsupported(Unsupported)

    /// What is not known.
    package enum Unsupported: Hashable, Sendable {
        /// The first byte of the frame: a type, or the channel of a broadcast.
        case type(UInt8)
        case version(UInt8)
    }
}

extension EventSink {
    /// A frame from the network could not be used.
    func dropped(_ error: WireError) {
        switch error {
        case .malformed: dropped(DropCause.malformed)
        case .unsupported: dropped(DropCause.unsupported)
        }
    }
}

/// Reads big-endian integers and byte runs from a frame in foreign memory; every read checks what is left. Must not
/// outlive the memory.
struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Bytes not read yet.
    var remaining: Int { bytes.count - position }
    /// Whether everything was read.
    var isAtEnd: Bool { remaining == 0 }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(WireError) -> Value {
        let width = MemoryLayout<Value>.size
        guard remaining >= width else { throw .malformed }
        defer { position += width }
        return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    /// A copy of the next `count` bytes.
    mutating func run(_ count: Int) throws(WireError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw .malformed }
        defer { position += count }
        return Array(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)]))
    }

    /// A copy of everything that was not read yet.
    mutating func rest() -> [UInt8] {
        defer { position = bytes.count }
        return Array(UnsafeRawBufferPointer(rebasing: bytes[position...]))
    }

    mutating func channel() throws(WireError) -> Channel {
        guard let channel = Channel(rawValue: try integer()) else { throw .malformed }
        return channel
    }
}
