/// A row together with its one encoding (see `RowCodec`): the bytes that travel, that the hash tree covers, and that are
/// passed on. Making them is the expensive part, so whoever has them keeps them with the row.
package struct EncodedRow: Hashable, Sendable {
    package let row: Row
    /// The row's encoding: an array of its own, or a slice of the message that brought the row. A slice keeps the whole
    /// message alive; what is to be kept for long is made by `init(_:)` or `compacted`.
    package let bytes: ArraySlice<UInt8>

    /// Encodes the row.
    package init(_ row: consuming Row) {
        bytes = RowCodec.encode(row)[...]
        self.row = row
    }

    /// `bytes` must be the encoding of `row`.
    init(row: Row, bytes: ArraySlice<UInt8>) {
        self.row = row
        self.bytes = bytes
    }

    package var key: ByteString { row.key }

    /// The same with bytes of its own.
    package var compacted: EncodedRow { EncodedRow(row: row, bytes: Array(bytes)[...]) }
}
