/// The random 64-bit id of a node's database: who wrote a value, whatever name or address the node has today.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The 64 bits; zero is never given out.
    public let rawValue: UInt64

    /// An id from its bits.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads the 16 hexadecimal digits that `description` writes.
    public init?(_ text: String) {
        guard text.utf8.count == 16, let value = UInt64(text, radix: 16), !"+-".utf8.contains(text.utf8.first ?? 0)
        else { return nil }
        rawValue = value
    }

    /// By value, so that every node orders ids alike.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Sixteen lower-case hexadecimal digits.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
