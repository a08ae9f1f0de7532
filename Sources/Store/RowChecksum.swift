internal import Replication
internal import Transport

/// Eight bytes beside the stamps of a row that tell whether the row is as this program wrote it.
///
/// The checksum is of the whole encoding: key, values and stamps. Its key is fixed, so that it stays good where the cluster's key
/// changes. The encoding is therefore part of the file's layout: another one needs a migration that computes all checksums anew.
enum RowChecksum {
    private static let hash = SipHash(key0: 0, key1: 0)

    static func of(_ row: EncodedRow) -> Int64 { row.bytes.withUnsafeBytes { of($0) } }

    static func of(_ encoding: [UInt8]) -> Int64 { encoding.withUnsafeBytes { of($0) } }

    private static func of(_ encoding: UnsafeRawBufferPointer) -> Int64 {
        Int64(truncatingIfNeeded: hash.hash(encoding))
    }
}

/// The registers of a row that another program has written, as the triggers of the file note it.
struct ForeignEdits: OptionSet {
    let rawValue: Int64

    static let presence = Self(rawValue: 1)
    static let text = Self(rawValue: 2)
    static let completed = Self(rawValue: 4)
}

/// What the file says of a row beside its values and stamps.
struct RowClaim {
    /// `nil`: written by a version of this program that stored none.
    let checksum: Int64?
    let edits: ForeignEdits

    enum Finding: Equatable {
        case asWritten
        /// Another program has written these registers.
        case edited(ForeignEdits)
        /// The row changed and nobody wrote it.
        case damaged
    }

    /// `checksum`: of the row as it is now.
    func finding(_ checksum: Int64) -> Finding {
        guard let written = self.checksum, written != checksum else { return .asWritten }
        return edits.isEmpty ? .damaged : .edited(edits)
    }
}
