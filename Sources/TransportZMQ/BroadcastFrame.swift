package import Transport

/// What an XPUB sends, one ZMTP frame each. Integers are big-endian.
///
///     channel    u8    0 membership, 1 replication, 2 beat; subscriptions are by this byte
///     version    u8    2
///     stream     u64   id of this start of the publisher: random, not 0
///     channels 0 and 1:
///     sequence   u64   number of this frame within stream and channel, from 1
///     messages, one or more, to the end of the frame:
///                      length u32, excluded count u8, that many stream ids u64, `length` bytes
///     channel 2:
///     heads      u64, u64    the last sequence numbers sent of membership and of replication, 0 for none
///
/// Nodes whose stream id is among the excluded are not meant: they have the message already.
package struct BroadcastFrame: Hashable, Sendable {
    /// One message of a frame.
    package struct Message: Hashable, Sendable {
        package var bytes: [UInt8]
        /// Streams of the nodes that are not meant.
        package var excluded: [UInt64] = []
    }

    /// What the channel says.
    package enum Content: Hashable, Sendable {
        /// At least one message; sequences start at 1.
        case messages(Channel, sequence: UInt64, [Message])
        case beat(StreamHeads)
    }

    /// The first byte of a beat.
    static let beatChannel: UInt8 = 2
    /// Bytes before the first message of a frame.
    static let headerBytes = 18
    /// Most excluded streams of one message: their count is one byte.
    static let maxExcluded = 255
    /// Most bytes that one message takes besides itself.
    static let maxMessageOverheadBytes = 4 + 1 + maxExcluded * 8

    package var stream: UInt64
    package var content: Content

    /// The frame of a beat. Messages are packed by `BroadcastPacker`.
    static func beat(version: UInt8, stream: UInt64, heads: StreamHeads) -> [UInt8] {
        var frame: [UInt8] = [beatChannel, version]
        frame.append(bigEndian: stream)
        frame.append(bigEndian: heads.membership)
        frame.append(bigEndian: heads.replication)
        return frame
    }

    /// Reads one frame. The memory is needed during the call only; each message is copied once.
    static func decode(
        _ frame: UnsafeRawBufferPointer, versions: ClosedRange<UInt8> = Hello.versions
    ) throws(WireError) -> Self {
        var reader = WireReader(frame)
        let type: UInt8 = try reader.integer()
        let version: UInt8 = try reader.integer()
        let channel = Channel(rawValue: type)
        guard channel != nil || type == beatChannel else { throw .unsupported(.type(type)) }
        guard versions.contains(version) else { throw .unsupported(.version(version)) }
        let stream: UInt64 = try reader.integer()
        guard stream != 0 else { throw .malformed }
        guard let channel else {
            let heads = StreamHeads(membership: try reader.integer(), replication: try reader.integer())
            guard reader.isAtEnd else { throw .malformed }
            return Self(stream: stream, content: .beat(heads))
        }
        let sequence: UInt64 = try reader.integer()
        guard sequence > 0 else { throw .malformed }
        var messages: [Message] = []
        repeat { messages.append(try readMessage(from: &reader)) } while !reader.isAtEnd
        return Self(stream: stream, content: .messages(channel, sequence: sequence, messages))
    }

    /// Reads one frame.
    package static func decode(_ frame: [UInt8]) throws(WireError) -> Self {
        try frame.span.bytes.withUnsafeBytes { (bytes) throws(WireError) in try decode(bytes) }
    }

    private static func readMessage(from reader: inout WireReader) throws(WireError) -> Message {
        guard let length = Int(exactly: try reader.integer(UInt32.self)) else { throw .malformed }
        let excludedCount = Int(try reader.integer(UInt8.self))
        // Both lengths at once, before anything is reserved for them.
        guard reader.remaining - excludedCount * 8 >= length else { throw .malformed }
        var excluded: [UInt64] = []
        if excludedCount > 0 {
            excluded.reserveCapacity(excludedCount)
            for _ in 0..<excludedCount { excluded.append(try reader.integer()) }
        }
        return Message(bytes: try reader.run(length), excluded: excluded)
    }
}

/// The last sequence numbers that a publisher has sent on each channel; 0 where it has sent nothing.
package struct StreamHeads: Hashable, Sendable {
    package var membership: UInt64 = 0
    package var replication: UInt64 = 0

    /// Nothing was sent.
    package init() {}

    init(membership: UInt64, replication: UInt64) {
        self.membership = membership
        self.replication = replication
    }

    /// The last number of one channel.
    package subscript(channel: Channel) -> UInt64 {
        get {
            switch channel {
            case .membership: membership
            case .replication: replication
            }
        }
        set {
            switch channel {
            case .membership: membership = newValue
            case .replication: replication = newValue
            }
        }
    }
}

/// Puts the messages of one channel into frames of a bounded size, in order.
///
/// The number of the last frame is the caller's: each frame that is given out takes the next one.
package struct BroadcastPacker: Sendable {
    /// Largest frame that is given out, in bytes.
    package let maxFrameBytes: Int

    private let header: [UInt8]
    /// Empty, or the header without its number and the messages so far.
    private var frame: [UInt8] = []

    /// `maxFrameBytes` must have room for a header and the overhead of one message.
    package init(channel: Channel, version: UInt8, stream: UInt64, maxFrameBytes: Int) {
        precondition(stream != 0, "the stream id of a broadcast is 0")
        precondition(Self.maxMessageBytes(in: maxFrameBytes) > 0, "frames of \(maxFrameBytes) bytes hold no message")
        self.maxFrameBytes = maxFrameBytes
        var header: [UInt8] = [channel.rawValue, version]
        header.append(bigEndian: stream)
        header.append(bigEndian: 0 as UInt64)
        self.header = header
    }

    /// Largest message that fits into a frame of `maxFrameBytes` with any number of excluded streams.
    package static func maxMessageBytes(in maxFrameBytes: Int) -> Int {
        maxFrameBytes - BroadcastFrame.headerBytes - BroadcastFrame.maxMessageOverheadBytes
    }

    /// Whether no message waits to be given out.
    package var isEmpty: Bool { frame.isEmpty }

    /// Adds a message behind those that wait. When it does not fit with them, they are given out as a frame that takes
    /// the number after `sequence`.
    ///
    /// Of more than 255 excluded streams the first 255 are kept; the others get a message that they have. The message
    /// must fit into a frame by itself, which `maxMessageBytes(in:)` assures.
    package mutating func add(
        _ message: [UInt8], excluding excluded: [UInt64] = [], sequence: inout UInt64
    ) -> [UInt8]? {
        let excluded = excluded.prefix(BroadcastFrame.maxExcluded)
        let bytes = 4 + 1 + excluded.count * 8 + message.count
        precondition(
            bytes <= maxFrameBytes - BroadcastFrame.headerBytes,
            "a message of \(message.count) bytes for frames of \(maxFrameBytes)")
        var full: [UInt8]?
        if frame.count + bytes > maxFrameBytes { full = flush(sequence: &sequence) }
        if frame.isEmpty { frame = header }
        frame.append(bigEndian: UInt32(message.count))
        frame.append(UInt8(excluded.count))
        for stream in excluded { frame.append(bigEndian: stream) }
        frame += message
        return full
    }

    /// The messages that wait, as a frame that takes the number after `sequence`; `nil` when none waits.
    package mutating func flush(sequence: inout UInt64) -> [UInt8]? {
        guard !frame.isEmpty else { return nil }
        sequence += 1
        var full: [UInt8] = []
        swap(&full, &frame)
        let numberStart = BroadcastFrame.headerBytes - 8
        for index in 0..<8 {
            full[numberStart + index] = UInt8(truncatingIfNeeded: sequence >> UInt64(8 * (7 - index)))
        }
        return full
    }
}
