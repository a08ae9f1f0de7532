package import Transport

/// What follows the kind in the encoding of a todo; see `RowCodec`. Integers are big-endian.
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
extension Row: ReplicatedRecord {
    package static let kind: UInt8 = 1

    /// Bytes of a row beside its key and text, at most.
    private static let maxOverheadBytes = 1 + 2 + 16 + 8 + 16 + 4 + 16

    package var maxBodyBytes: Int { Self.maxOverheadBytes + key.utf8.count + (text?.value.utf8.count ?? 0) }

    package func appendBody(to bytes: inout [UInt8]) {
        let (text, completed) = (text, completed)
        let textSharesStamp = text?.stamp == presence.stamp
        let completedSharesStamp = completed?.stamp == presence.stamp
        var flags: UInt8 = isDeleted ? 0 : 1
        if text != nil { flags |= 2 }
        if let completed { flags |= completed.value ? 12 : 4 }
        if textSharesStamp { flags |= 16 }
        if completedSharesStamp { flags |= 32 }
        bytes.append(flags)
        bytes.append(bigEndian: UInt16(key.utf8.count))
        bytes.append(contentsOf: key.utf8)
        presence.stamp.append(to: &bytes)
        if case .created(let milliseconds) = presence.value {
            bytes.append(bigEndian: UInt64(bitPattern: milliseconds))
        }
        if let text {
            if !textSharesStamp { text.stamp.append(to: &bytes) }
            bytes.append(bigEndian: UInt32(text.value.utf8.count))
            bytes.append(contentsOf: text.value.utf8)
        }
        if let completed, !completedSharesStamp { completed.stamp.append(to: &bytes) }
    }

    package init(body reader: inout ByteReader) throws {
        let flags = try reader.integer(UInt8.self)
        let hasText = flags & 2 != 0
        let hasCompleted = flags & 4 != 0
        let unused = flags & 0xc0 != 0 || (!hasCompleted && flags & 0x28 != 0) || (!hasText && flags & 0x10 != 0)
        guard !unused else { throw RowCodec.Failure.invalid }
        let keyBytes = Int(try reader.integer(UInt16.self))
        guard let key = ByteString(utf8: try reader.slice(keyBytes)) else { throw RowCodec.Failure.invalid }
        let stamp = try Stamp(from: &reader)
        let presence: Presence =
            flags & 1 != 0
            ? .created(atMilliseconds: Int64(bitPattern: try reader.integer(UInt64.self))) : .deleted
        var text: Register<ByteString>?
        if hasText {
            let textStamp = flags & 16 != 0 ? stamp : try Stamp(from: &reader)
            guard let length = Int(exactly: try reader.integer(UInt32.self)),
                let value = ByteString(utf8: try reader.slice(length)),
                flags & 16 != 0 || textStamp != stamp
            else { throw RowCodec.Failure.invalid }
            text = Register(value, textStamp)
        }
        var completed: Register<Bool>?
        if hasCompleted {
            let completedStamp = flags & 32 != 0 ? stamp : try Stamp(from: &reader)
            guard flags & 32 != 0 || completedStamp != stamp else { throw RowCodec.Failure.invalid }
            completed = Register(flags & 8 != 0, completedStamp)
        }
        self.init(key: key, presence: Register(presence, stamp), text: text, completed: completed)
    }
}
