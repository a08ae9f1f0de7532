/// A UTF-8 text that is compared byte for byte.
///
/// `String ==` is canonical equivalence: `é` equals `e` with a combining accent. For keys and for breaking ties between
/// replicas only the bytes may count.
package struct ByteString: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringInterpolation {
    package let string: String

    package init(_ string: String) { self.string = string }
    package init(stringLiteral value: String) { string = value }

    /// `nil` when the bytes are not valid UTF-8.
    package init?(utf8 bytes: ArraySlice<UInt8>) {
        guard let string = String(validating: bytes, as: UTF8.self) else { return nil }
        self.string = string
    }

    package var utf8: String.UTF8View { string.utf8 }

    package static func == (left: Self, right: Self) -> Bool {
        withBytes(left, right) { left, right in
            left.count == right.count && firstDifference(left, right) == nil
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        withBytes(left, right) { left, right in
            guard let index = firstDifference(left, right) else { return left.count < right.count }
            return left[index] < right[index]
        }
    }

    package func hash(into hasher: inout Hasher) {
        var string = string
        string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(0xff as UInt8)
    }

    package var description: String { string }

    // MARK: Bytes in one piece, as all strings have them but those of other languages' runtimes

    private static func withBytes(
        _ left: Self, _ right: Self, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var (left, right) = (left.string, right.string)
        return left.withUTF8 { left in
            right.withUTF8 { right in body(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right)) }
        }
    }

    /// The index of the first byte that differs, as far as both reach. Eight bytes at a time: merges compare rows all
    /// the time.
    private static func firstDifference(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int? {
        let count = min(left.count, right.count)
        var index = 0
        while count - index >= 8 {
            let difference =
                left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                ^ right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if difference != 0 { return index + difference.littleEndian.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count {
            if left[index] != right[index] { return index }
            index += 1
        }
        return nil
    }
}
