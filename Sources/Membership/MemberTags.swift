package import Transport

/// What a member tells about itself, as Serf writes tags into a member's meta: byte `ff`, then a MessagePack map of
/// text to text. At most 512 bytes together.
package struct MemberTags: Hashable, Sendable {
    /// Largest meta, in bytes. Go's memberlist panics when its own is larger.
    package static let maxBytes = 512

    /// The keys that this program uses.
    package enum Key {
        /// Where the member's REST API listens.
        package static let http = "http"
        /// The member's program version.
        package static let version = "version"
        /// The channels it understands: `m` for membership, `r` for replication.
        package static let channels = "channels"
        /// The versions of the replication channel that it speaks: the lowest and the highest, such as `1-2`.
        package static let replication = "replication"
        /// Its `NodeID`: the identity behind its name.
        package static let node = "node"
    }

    package var values: [String: String]

    package init(_ values: [String: String] = [:]) { self.values = values }

    /// `nil` when `meta` is absent or not tags; a foreign node may put anything there.
    package init?(meta: [UInt8]?) {
        guard let meta, meta.first == 0xff, meta.count <= Self.maxBytes,
            let values = try? Self.decode(meta[1...])
        else { return nil }
        self.values = values
    }

    /// The bytes for the wire, keys sorted. Throws `.tooLong` above `maxBytes`.
    package func meta() throws(MemberTagsError) -> [UInt8] {
        var writer = MessagePackWriter(prefix: [0xff])
        writer.writeMapHeader(values.count)
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            writer.write(key)
            writer.write(value)
        }
        guard writer.bytes.count <= Self.maxBytes else { throw .tooLong(bytes: writer.bytes.count) }
        return writer.bytes
    }

    /// The identity tag, if it is there and well formed.
    package var nodeID: NodeID? { values[Key.node].flatMap(NodeID.init) }

    private static func decode(_ bytes: ArraySlice<UInt8>) throws(MessagePackError) -> [String: String] {
        var reader = MessagePackReader(bytes)
        var values: [String: String] = [:]
        for _ in 0..<(try reader.mapHeader()) { values[try reader.string()] = try reader.string() }
        return values
    }
}

/// Why tags cannot be sent.
package enum MemberTagsError: Error, Hashable, Sendable {
    /// They take more than `MemberTags.maxBytes`.
    case tooLong(bytes: Int)
}
