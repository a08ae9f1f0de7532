internal import Transport

/// Writes MessagePack values one after another, in the dialect of the specification before 2013 that memberlist sends.
///
/// | value | written as |
/// |---|---|
/// | text and bytes alike | fixraw `a0+n` below 32 bytes, raw16 `da`, raw32 `db`; never str8 `d9`, never bin |
/// | integer | the smallest of `00..7f`, `cc`, `cd`, `ce`, `cf` |
/// | nothing | `c0` |
/// | map headers | `80+n`, `de`, `df` |
///
/// Integers are big-endian. Keys are written in the order of the calls; sort them where equal values must give equal
/// bytes.
package struct MessagePackWriter: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8]

    /// Starts after `prefix`, such as a type byte.
    package init(prefix: [UInt8] = []) { bytes = prefix }

    /// Writes nothing's own byte, `c0`.
    package mutating func writeNil() { bytes.append(0xc0) }

    /// Writes `c3` or `c2`.
    package mutating func write(_ value: Bool) { bytes.append(value ? 0xc3 : 0xc2) }

    /// Writes the smallest form that holds `value`.
    package mutating func write(_ value: some UnsignedInteger & FixedWidthInteger) {
        let value = UInt64(value)
        if value < 0x80 {
            bytes.append(UInt8(value))
        } else if let small = UInt8(exactly: value) {
            bytes += [0xcc, small]
        } else if let small = UInt16(exactly: value) {
            writeHead(0xcd, small)
        } else if let small = UInt32(exactly: value) {
            writeHead(0xce, small)
        } else {
            writeHead(0xcf, value)
        }
    }

    /// Writes UTF-8 in the raw family.
    package mutating func write(_ text: String) { writeRaw(Array(text.utf8)) }

    /// Writes bytes in the raw family; `nil` as `c0`.
    package mutating func write(_ value: [UInt8]?) {
        if let value { writeRaw(value) } else { writeNil() }
    }

    /// Announces `count` pairs: the caller writes key, value, key, value.
    package mutating func writeMapHeader(_ count: Int) {
        precondition(count >= 0, "a map of \(count) pairs")
        precondition(count <= Int(UInt32.max), "\(count) pairs do not fit a map")
        if count < 16 {
            bytes.append(0x80 | UInt8(count))
        } else if let count = UInt16(exactly: count) {
            writeHead(0xde, count)
        } else {
            writeHead(0xdf, UInt32(count))
        }
    }

    /// Appends bytes that are no MessagePack value, such as those that a length before them announced.
    package mutating func writeUnframed(_ rest: [UInt8]) { bytes += rest }

    private mutating func writeRaw(_ value: [UInt8]) {
        precondition(value.count <= Int(UInt32.max), "\(value.count) bytes do not fit a raw32")
        if value.count < 32 {
            bytes.append(0xa0 | UInt8(value.count))
        } else if let count = UInt16(exactly: value.count) {
            writeHead(0xda, count)
        } else {
            writeHead(0xdb, UInt32(value.count))
        }
        bytes += value
    }

    private mutating func writeHead<Value: FixedWidthInteger & UnsignedInteger>(_ head: UInt8, _ value: Value) {
        bytes.append(head)
        bytes.append(bigEndian: value)
    }
}
