/// Reads and writes single memberlist messages: a type byte, then a MessagePack map whose keys are Go's field names.
///
///     00 ping           Node, SeqNo u32, SourceAddr?, SourceNode?, SourcePort?
///     01 indirect ping  Nack, Node, Port u16, SeqNo u32, SourceAddr?, SourceNode?, SourcePort?, Target
///     02 ack            Payload bytes or nil, SeqNo u32
///     03 suspect        From, Incarnation u32, Node
///     04 alive          Addr, Incarnation u32, Meta bytes or nil, Node, Port u16, Vsn 6 bytes
///     05 dead           From, Incarnation u32, Node
///     06 push/pull      streams only: map {Join, Nodes, UserStateLen}, one map per node, UserStateLen bytes
///                       node: Addr, Incarnation, Meta, Name, Port, State, Vsn
///     08 user           datagram: all that follows; stream: map {UserMsgLen}, then as many bytes
///     0b nack           SeqNo u32
///     0d error          streams only: Error
///
/// Fields marked `?` are left out when empty. Addresses are 4 bytes for IPv4 and 16 for IPv6. Keys are written sorted.
/// Compound (07) is the transport's. Compression (09), sealing on streams (0a), checksums (0c) and labels (f4) are
/// spoken by foreign nodes only and refused as `.unsupported`. Bytes after a datagram's message are ignored, as Go does.
package enum MemberlistCodec {
    /// The first byte of a message.
    enum Kind: UInt8 {
        case ping = 0, indirectPing, ack, suspect, alive, dead, pushPull
        case user = 8
        case nack = 11
        case error = 13
    }

    /// Most members in one push/pull, as in memberlist. What is kept of them is bounded by the engine.
    package static let maxPushPullNodes = 1 << 20
    /// Largest message on a stream, in bytes. 65,536 members of 250 bytes each fit.
    package static let maxStreamBytes = 20 << 20

    /// Reads one message as it stands in a datagram, or in one part of a compound.
    package static func decode(_ bytes: [UInt8]) throws(MembershipWireError) -> MembershipMessage {
        try decode(bytes[...], isStream: false)
    }

    /// Reads one message as it stands on a stream. The only way to read a push/pull.
    package static func decodeStream(_ bytes: [UInt8]) throws(MembershipWireError) -> MembershipMessage {
        try decode(bytes[...], isStream: true)
    }

    private static func decode(
        _ bytes: ArraySlice<UInt8>, isStream: Bool
    ) throws(MembershipWireError) -> MembershipMessage {
        guard let first = bytes.first else { throw .empty }
        guard let kind = Kind(rawValue: first) else { throw .unsupported(first) }
        var reader = MessagePackReader(bytes.dropFirst())
        switch (kind, isStream) {
        case (.ping, _): return .ping(try ping(&reader))
        case (.indirectPing, false): return .indirectPing(try indirectPing(&reader))
        case (.ack, _): return .ack(try ack(&reader))
        case (.nack, false): return .nack(NackBody(sequence: try ack(&reader).sequence))
        case (.suspect, false): return .suspect(try accusation(&reader))
        case (.dead, false): return .dead(try accusation(&reader))
        case (.alive, false): return .alive(try alive(&reader, nameKey: "Node").member)
        case (.user, false): return .user(Array(bytes.dropFirst()))
        case (.user, true): return .user(try streamUser(&reader, in: bytes))
        case (.pushPull, true): return .pushPull(try pushPull(&reader, in: bytes))
        case (.error, _): return .error(try errorText(&reader))
        case (.indirectPing, true), (.nack, true), (.suspect, true), (.dead, true), (.alive, true), (.pushPull, false):
            throw .unsupported(first)
        }
    }
}

/// Why bytes are not a message that this program takes. The answer is to count and drop.
package enum MembershipWireError: Error, Hashable, Sendable {
    /// No bytes at all.
    case empty
    /// A type or layer that is not spoken, or not here (a push/pull in a datagram).
    case unsupported(UInt8)
    /// The body is not MessagePack of the expected kind.
    case malformed(MessagePackError)
    /// The named field has a value that cannot be.
    case invalidField(String)
    /// A count or length above its limit.
    case tooLarge(String)
}
