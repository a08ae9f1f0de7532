/// Reads fixed-width big-endian integers and byte runs from untrusted bytes; every read checks what is left.
public struct ByteReader: Sendable {
    /// The bytes ended before the value did, or a length says more than there is.
    public struct Truncated: Error, Hashable, Sendable {
        /// The one way to say so.
        @inlinable public init() {}
    }

    @usableFromInline let bytes: ArraySlice<UInt8>
    @usableFromInline var next: Int

    /// The index, in the slice that was given, of the next byte.
    @inlinable public var position: Int { next }

    /// Starts at the first byte of the slice.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        next = bytes.startIndex
    }

    /// Starts at the first byte.
    public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// Bytes not read yet.
    @inlinable public var remaining: Int { bytes.endIndex - position }
    /// Whether everything was read.
    public var isAtEnd: Bool { remaining == 0 }
    /// What was not read yet; reading does not move.
    public var rest: ArraySlice<UInt8> { bytes[position...] }

    /// The next big-endian integer. Throws, without moving, when too few bytes are left.
    ///
    /// Inlinable: other modules read most integers, and unspecialised it costs ten times as much.
    @inlinable public mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(Truncated) -> Value {
        let width = Value.bitWidth / 8
        guard remaining >= width else { throw Truncated() }
        let offset = next - bytes.startIndex
        next += width
        return Value(bigEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) })
    }

    /// The next `count` bytes, without a copy. Throws, without moving, when fewer are left.
    public mutating func slice(_ count: Int) throws(Truncated) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw Truncated() }
        defer { next += count }
        return bytes[position..<(position + count)]
    }
}

extension Array where Element == UInt8 {
    /// Appends `value` in big-endian order.
    @inlinable public mutating func append<Value: FixedWidthInteger & UnsignedInteger>(bigEndian value: Value) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
