internal import Transport

/// How two nodes introduce themselves on a link: what a hello and a welcome say. Integers are big-endian.
///
///     magic         4 bytes "ACSZ"
///     versions      lowest u8, highest u8          of this protocol that the sender speaks; at least 1, in this order
///     stream        u64                            id of this start of the sender: random, not 0
///     port          u16                            where its ROUTER listens, on the host of this connection
///     publish port  u16                            where its XPUB listens
///     publish host  length u8 (0, 4 or 16), bytes  where its XPUB listens; 0: on the host of this connection
///
/// This layout never changes. Whatever follows is ignored and is room for later versions, so that nodes of any two
/// versions can tell each other that they do not get along. A port is 0 where the sender does not listen.
package struct Hello: Hashable, Sendable {
    /// The versions of this protocol that this node speaks.
    static let versions: ClosedRange<UInt8> = 2...2
    /// What no other protocol begins with.
    static let magic: [UInt8] = Array("ACSZ".utf8)

    /// The versions that the sender speaks.
    let versions: ClosedRange<UInt8>
    /// The id of this start of the sender; not 0.
    let stream: UInt64
    /// Where the sender's ROUTER listens.
    let port: UInt16
    /// Where the sender's XPUB listens.
    let publishPort: UInt16
    /// The host of the sender's XPUB in its one form; `nil` for the host of the connection.
    let publishHost: PeerAddress.Host?

    /// `stream` must not be 0, `versions` must not contain 0.
    init(
        versions: ClosedRange<UInt8> = Hello.versions, stream: UInt64, port: UInt16, publishPort: UInt16,
        publishHost: PeerAddress.Host? = nil
    ) {
        precondition(stream != 0, "the stream id of a hello is 0")
        precondition(versions.lowerBound > 0, "the versions of a hello are \(versions)")
        self.versions = versions
        self.stream = stream
        self.port = port
        self.publishPort = publishPort
        self.publishHost = publishHost.map { PeerAddress(host: $0, port: 0).host }
    }

    /// The highest version that the sender and `other` both speak; `nil` when there is none.
    func commonVersion(with other: ClosedRange<UInt8> = Hello.versions) -> UInt8? {
        versions.overlaps(other) ? min(versions.upperBound, other.upperBound) : nil
    }

    /// Reads everything behind the type byte, up to what is for later versions.
    init(from reader: inout WireReader) throws(WireError) {
        let versions = try Self.readVersions(from: &reader)
        let stream: UInt64 = try reader.integer()
        let port: UInt16 = try reader.integer()
        let publishPort: UInt16 = try reader.integer()
        let hostBytes = try reader.run(Int(try reader.integer(UInt8.self)))
        guard stream != 0 else { throw .malformed }
        var publishHost: PeerAddress.Host?
        if !hostBytes.isEmpty {
            guard let address = PeerAddress(hostBytes: hostBytes[...], port: 0) else { throw .malformed }
            publishHost = address.host
        }
        self.init(
            versions: versions, stream: stream, port: port, publishPort: publishPort, publishHost: publishHost)
    }

    /// Appends everything behind the type byte.
    func append(to bytes: inout [UInt8]) {
        Self.append(versions, to: &bytes)
        bytes.append(bigEndian: stream)
        bytes.append(bigEndian: port)
        bytes.append(bigEndian: publishPort)
        let hostBytes = publishHost.map { PeerAddress(host: $0, port: 0).hostBytes } ?? []
        bytes.append(UInt8(hostBytes.count))
        bytes += hostBytes
    }

    /// Magic and versions, the part that a refusal has too.
    static func append(_ versions: ClosedRange<UInt8>, to bytes: inout [UInt8]) {
        bytes += magic
        bytes.append(versions.lowerBound)
        bytes.append(versions.upperBound)
    }

    /// Reads what the other `append` wrote.
    static func readVersions(from reader: inout WireReader) throws(WireError) -> ClosedRange<UInt8> {
        guard try reader.run(magic.count) == magic else { throw .malformed }
        let lowest: UInt8 = try reader.integer()
        let highest: UInt8 = try reader.integer()
        guard lowest > 0, lowest <= highest else { throw .malformed }
        return lowest...highest
    }
}
