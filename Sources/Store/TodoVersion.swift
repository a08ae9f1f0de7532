internal import Transport

/// One state of one todo on this node: a digest of its local id and of all that the REST API shows of it.
///
/// Two todos have one version when they are shown alike, and else not: two texts for one digest of 128 bits take 2^64
/// tries. The digest is made of what stands in `todos` rather than of the stamps, since another program changes the one without
/// the other, and since a row that another program inserted has no stamps until the next write.
package struct TodoVersion: Hashable, Sendable {
    /// SipHash-2-4 with a key of zeros: anybody can compute it.
    package let digest: UInt128

    package init(digest: UInt128) { self.digest = digest }

    init(of todo: Todo) {
        var (externID, text) = (todo.externID, todo.text)
        digest = externID.withUTF8 { externID in
            text.withUTF8 { text in Self.digest(todo, externID, text) }
        }
    }

    /// The bytes are those of one todo only: the length of `externID` tells where `text` begins.
    ///
    ///     id  8    created at  8    length of extern_id  4    completed  1    extern_id    todo        (little-endian)
    private static func digest(
        _ todo: Todo, _ externID: UnsafeBufferPointer<UInt8>, _ text: UnsafeBufferPointer<UInt8>
    ) -> UInt128 {
        let textStart = 21 + externID.count
        return withUnsafeTemporaryAllocation(byteCount: textStart + text.count, alignment: 8) { bytes in
            bytes.storeBytes(of: todo.id.littleEndian, as: Int64.self)
            bytes.storeBytes(of: todo.createdAtMilliseconds.littleEndian, toByteOffset: 8, as: Int64.self)
            bytes.storeBytes(of: UInt32(externID.count).littleEndian, toByteOffset: 16, as: UInt32.self)
            bytes[20] = todo.isCompleted ? 1 : 0
            UnsafeMutableRawBufferPointer(rebasing: bytes[21..<textStart]).copyMemory(
                from: UnsafeRawBufferPointer(externID))
            UnsafeMutableRawBufferPointer(rebasing: bytes[textStart...]).copyMemory(from: UnsafeRawBufferPointer(text))
            return SipHash(key0: 0, key1: 0).hash(UnsafeRawBufferPointer(bytes))
        }
    }
}

extension Todo {
    /// Takes some 0.1 µs.
    package var version: TodoVersion { TodoVersion(of: self) }
}
