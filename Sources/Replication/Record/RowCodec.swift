package import Transport

/// The one byte form of a row, on the wire and under the hash:
///
///     kind    u8    1: a todo
///     body    of that kind, see `Row+Encoding`
///
/// A row has exactly one encoding; the decoder refuses any other, and rows that are not valid. Rows follow each other
/// without lengths, so that of a message with a kind that is not known nothing can be read.
package enum RowCodec {
    package enum Failure: Error, Hashable, Sendable {
        case truncated
        case invalid
        /// A kind of record that a later program may know.
        case unknownKind
    }

    package static func encode(_ row: Row) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 + row.maxBodyBytes)
        append(row, to: &bytes)
        return bytes
    }

    package static func append(_ row: Row, to bytes: inout [UInt8]) {
        bytes.append(Row.kind)
        row.appendBody(to: &bytes)
    }

    /// The next row, with the bytes that were read. Throws without a promise of how far it has read.
    package static func decode(from reader: inout ByteReader) throws(Failure) -> EncodedRow {
        do {
            let rest = reader.rest
            guard try reader.integer(UInt8.self) == Row.kind else { throw Failure.unknownKind }
            let row = try Row(body: &reader)
            guard row.isValid else { throw Failure.invalid }
            return EncodedRow(row: row, bytes: rest[..<reader.position])
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .truncated
        }
    }

    /// The rows from here to the end of a message.
    static func decodeAll(from reader: inout ByteReader) throws(Failure) -> [EncodedRow] {
        var rows: [EncodedRow] = []
        while !reader.isAtEnd { rows.append(try decode(from: &reader)) }
        return rows
    }
}
