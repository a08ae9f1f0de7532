package import Transport

extension MemberlistCodec {
    /// Where the first message of a clear stream ends: `StreamFraming.Finder` for the membership channel.
    ///
    /// Reads from the first byte at every call; call it when a read has brought more, not per byte.
    package static func streamEnd(_ bytes: ArraySlice<UInt8>) -> StreamFraming {
        guard let first = bytes.first else { return .needsMore }
        guard let kind = Kind(rawValue: first) else { return .invalid }
        do throws(MembershipWireError) {
            let end = try streamLength(kind, bytes)
            return end <= maxStreamBytes ? .complete(end) : .invalid
        } catch {
            guard case .malformed(.truncated) = error else { return .invalid }
            return bytes.count < maxStreamBytes ? .needsMore : .invalid
        }
    }

    private static func streamLength(_ kind: Kind, _ bytes: ArraySlice<UInt8>) throws(MembershipWireError) -> Int {
        var reader = MessagePackReader(bytes.dropFirst())
        switch kind {
        case .ping, .ack, .error:
            _ = try Fields(&reader)
            return reader.position - bytes.startIndex
        case .user:
            let length = try Fields(&reader).userMessageLength
            return try slice(length, from: reader.position, in: bytes, "UserMsgLen").endIndex - bytes.startIndex
        case .pushPull:
            let header = try Fields(&reader)
            guard header.nodes <= UInt64(maxPushPullNodes) else { throw .tooLarge("Nodes") }
            do throws(MessagePackError) {
                for _ in 0..<header.nodes { try reader.skip() }
            } catch {
                throw .malformed(error)
            }
            let end = try slice(header.userStateLength, from: reader.position, in: bytes, "UserStateLen").endIndex
            return end - bytes.startIndex
        case .indirectPing, .suspect, .alive, .dead, .nack:
            throw .unsupported(kind.rawValue)
        }
    }
}
