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

    package static func == (left: Self, right: Self) -> Bool { left.utf8.elementsEqual(right.utf8) }
    package static func < (left: Self, right: Self) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }

    package func hash(into hasher: inout Hasher) {
        for byte in utf8 { hasher.combine(byte) }
        hasher.combine(0xff as UInt8)
    }

    package var description: String { string }
}
