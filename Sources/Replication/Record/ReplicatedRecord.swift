package import Transport

/// All that replication knows of a record: what it is called, when it was last written, how two versions of it become one,
/// and its bytes. `Row` is the one kind there is.
///
/// A second kind needs: a type that meets this, its own `kind`, a case for it where `EncodedRow` holds a `Row` and where
/// `RowCodec` reads the kind, and a table in the store. Until every node of a cluster speaks a version of the replication
/// channel that has the new kind, none may send it: see `VersionChoice`.
package protocol ReplicatedRecord: Hashable, Sendable {
    /// The first byte of the encoding.
    static var kind: UInt8 { get }
    /// Names the record: two records with one key are versions of one. Chooses its place in the hash tree.
    var key: ByteString { get }
    /// The greatest stamp in the record: a record that is ahead of a node's clock waits.
    var latestStamp: Stamp { get }
    /// Whether the record keeps its own rules and bounds. What is not valid is neither merged nor read.
    var isValid: Bool { get }
    /// The least record that holds what both hold: commutative, associative and idempotent. Both must be valid and have
    /// the same key; the result is valid.
    func merged(with other: Self) -> Self
    /// A bound of the bytes that `appendBody` appends, that costs nothing to compute.
    var maxBodyBytes: Int { get }
    /// Appends the encoding, without the kind. Equal records have equal bytes, other ones others.
    func appendBody(to bytes: inout [UInt8])
    /// Reads what `appendBody` wrote, and refuses everything else that is not the encoding of a record.
    init(body reader: inout ByteReader) throws
}
