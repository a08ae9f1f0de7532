package import Transport

/// The one byte form of a row, on the wire and under the hash. Integers are big-endian.
///
///     flags          u8    bit 0 created (else deleted)   bit 1 text is there      bit 2 completed is there
///                          bit 3 completed is true        bit 4 text has the presence stamp
///                          bit 5 completed has the presence stamp                  bits 6, 7 zero
///     key            u16 length, bytes (UTF-8)
///     presence       stamp
///     created at     u64, milliseconds since 1970 in two's complement    only when created
///     text           stamp unless bit 4, u32 length, bytes (UTF-8)       only with bit 1
///     completed      stamp unless bit 5                                  only with bit 2
///
///     stamp          u64 hybrid time, u64 origin
///
/// A row has exactly one encoding; the decoder refuses any other, and rows that are not valid.
package enum RowCodec {
    package enum Failure: Error, Hashable, Sendable { case truncated, invalid }

    /// Bytes of a row beside its key and text, at most.
    package static let maxOverheadBytes = 1 + 2 + 16 + 8 + 16 + 4 + 16

    package static func encode(_ row: Row) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(encodedBytes(row))
        append(row, to: &bytes)
        return bytes
    }

    /// An upper bound of the encoded size that costs nothing to compute.
    package static func encodedBytes(_ row: Row) -> Int {
        maxOverheadBytes + row.key.utf8.count + (row.text?.value.utf8.count ?? 0)
    }

    static func append(_ row: Row, to bytes: inout [UInt8]) {
        let textSharesStamp = row.text?.stamp == row.presence.stamp
        let completedSharesStamp = row.completed?.stamp == row.presence.stamp
        var flags: UInt8 = row.isDeleted ? 0 : 1
        if row.text != nil { flags |= 2 }
        if let completed = row.completed { flags |= completed.value ? 12 : 4 }
        if textSharesStamp { flags |= 16 }
        if completedSharesStamp { flags |= 32 }
        bytes.append(flags)
        bytes.append(bigEndian: UInt16(row.key.utf8.count))
        bytes.append(contentsOf: row.key.utf8)
        append(row.presence.stamp, to: &bytes)
        if case .created(let milliseconds) = row.presence.value {
            bytes.append(bigEndian: UInt64(bitPattern: milliseconds))
        }
        if let text = row.text {
            if !textSharesStamp { append(text.stamp, to: &bytes) }
            bytes.append(bigEndian: UInt32(text.value.utf8.count))
            bytes.append(contentsOf: text.value.utf8)
        }
        if let completed = row.completed, !completedSharesStamp { append(completed.stamp, to: &bytes) }
    }

    /// The next row, with the bytes that were read. Throws without a promise of how far it has read.
    package static func decode(from reader: inout ByteReader) throws(Failure) -> EncodedRow {
        do {
            let rest = reader.rest
            let row = try read(&reader)
            return EncodedRow(row: row, bytes: rest[..<reader.position])
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .truncated
        }
    }

    private static func read(_ reader: inout ByteReader) throws -> Row {
        let flags = try reader.integer(UInt8.self)
        let hasText = flags & 2 != 0
        let hasCompleted = flags & 4 != 0
        let unused = flags & 0xc0 != 0 || (!hasCompleted && flags & 0x28 != 0) || (!hasText && flags & 0x10 != 0)
        guard !unused else { throw Failure.invalid }
        let keyBytes = Int(try reader.integer(UInt16.self))
        guard let key = ByteString(utf8: try reader.slice(keyBytes)) else { throw Failure.invalid }
        let stamp = try readStamp(&reader)
        let presence: Presence =
            flags & 1 != 0
            ? .created(atMilliseconds: Int64(bitPattern: try reader.integer(UInt64.self))) : .deleted
        var text: Register<ByteString>?
        if hasText {
            let textStamp = flags & 16 != 0 ? stamp : try readStamp(&reader)
            guard let length = Int(exactly: try reader.integer(UInt32.self)),
                let value = ByteString(utf8: try reader.slice(length)),
                flags & 16 != 0 || textStamp != stamp
            else { throw Failure.invalid }
            text = Register(value, textStamp)
        }
        var completed: Register<Bool>?
        if hasCompleted {
            let completedStamp = flags & 32 != 0 ? stamp : try readStamp(&reader)
            guard flags & 32 != 0 || completedStamp != stamp else { throw Failure.invalid }
            completed = Register(flags & 8 != 0, completedStamp)
        }
        let row = Row(key: key, presence: Register(presence, stamp), text: text, completed: completed)
        guard row.isValid else { throw Failure.invalid }
        return row
    }

    private static func append(_ stamp: Stamp, to bytes: inout [UInt8]) {
        bytes.append(bigEndian: stamp.time.rawValue)
        bytes.append(bigEndian: stamp.origin.rawValue)
    }

    private static func readStamp(_ reader: inout ByteReader) throws -> Stamp {
        let time = HybridTime(rawValue: try reader.integer())
        return Stamp(time: time, origin: NodeID(try reader.integer()))
    }
}
