/// Reads MessagePack values one after another from untrusted bytes, old dialect and new.
///
/// Text and bytes are read alike from the raw, str8 and bin families and from an array of small integers; integers from
/// every family that fits, signed or not; and `c0` stands for the zero value of whatever was asked for, as it does for
/// the Go programs that write this. A count larger than the bytes that are left is refused before anything is
/// allocated. Nothing here recurses, so depth needs no limit.
///
/// After an error `position` stands somewhere within the value that failed, and the reader is of no more use.
package struct MessagePackReader: Sendable {
    private let input: ArraySlice<UInt8>
    /// The index, in the slice that was given, of the next byte.
    package private(set) var position: Int

    /// Reads from the slice's first byte.
    package init(_ bytes: ArraySlice<UInt8>) {
        input = bytes
        position = bytes.startIndex
    }

    /// Reads from the first byte.
    package init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// Bytes not read yet.
    package var remaining: Int { input.endIndex - position }

    /// The number of pairs that follow. Each takes at least two bytes, so the count is at most half of `remaining`.
    package mutating func mapHeader() throws(MessagePackError) -> Int {
        let start = position
        let head = try headByte()
        let count: Int
        switch head {
        case 0x80...0x8f: count = Int(head & 0x0f)
        case 0xde: count = try length(bytes: 2)
        case 0xdf: count = try length(bytes: 4)
        case 0xc0: count = 0
        default: throw .wrongType(head, at: start)
        }
        guard count <= remaining / 2 else { throw .truncated(at: start) }
        return count
    }

    /// The number of values that follow, at most `remaining`.
    package mutating func arrayHeader() throws(MessagePackError) -> Int {
        let start = position
        let head = try headByte()
        guard head != 0xc0 else { return 0 }
        guard let count = try arrayCount(head) else { throw .wrongType(head, at: start) }
        guard count <= remaining else { throw .truncated(at: start) }
        return count
    }

    /// An integer of any family, if `Value` can hold it.
    package mutating func integer<Value: FixedWidthInteger>(
        as type: Value.Type = Value.self
    ) throws(MessagePackError) -> Value {
        let start = position
        let head = try headByte()
        let value: Value?
        switch head {
        case 0x00...0x7f: value = Value(exactly: head)
        case 0xe0...0xff: value = Value(exactly: Int8(bitPattern: head))
        case 0xcc...0xcf: value = Value(exactly: try bigEndian(bytes: 1 << Int(head - 0xcc)))
        case 0xd0...0xd3:
            let width = 1 << Int(head - 0xd0)
            let shift = 64 - 8 * width
            value = Value(exactly: Int64(bitPattern: try bigEndian(bytes: width) << UInt64(shift)) >> Int64(shift))
        case 0xc0: value = 0
        default: throw .wrongType(head, at: start)
        }
        guard let value else { throw .outOfRange(at: start) }
        return value
    }

    /// A truth value, also one written as 0 or 1.
    package mutating func bool() throws(MessagePackError) -> Bool {
        let start = position
        let head = try headByte()
        switch head {
        case 0xc3, 0x01: return true
        case 0xc2, 0x00, 0xc0: return false
        default: throw .wrongType(head, at: start)
        }
    }

    /// Bytes of any family; `nil` for `c0`.
    package mutating func bytes() throws(MessagePackError) -> [UInt8]? {
        let start = position
        let head = try headByte()
        if head == 0xc0 { return nil }
        if let count = try rawCount(head) {
            guard count <= remaining else { throw .truncated(at: start) }
            defer { position += count }
            return Array(input[position..<(position + count)])
        }
        guard let count = try arrayCount(head) else { throw .wrongType(head, at: start) }
        guard count <= remaining else { throw .truncated(at: start) }
        var value: [UInt8] = []
        value.reserveCapacity(count)
        for _ in 0..<count { value.append(try integer(as: UInt8.self)) }
        return value
    }

    /// Text of any family; empty for `c0`. Refuses what is not UTF-8, since replaced characters would make two names one.
    package mutating func string() throws(MessagePackError) -> String {
        let start = position
        let head = try headByte()
        if let count = try rawCount(head) {
            guard count <= remaining else { throw .truncated(at: start) }
            let slice = input[position..<(position + count)]
            position += count
            // Names and keys are plain as a rule, and checking by hand costs a third of what the library's check does.
            if slice.allSatisfy({ $0 < 0x80 }) {
                return String(unsafeUninitializedCapacity: count) { $0.initialize(fromContentsOf: slice) }
            }
            guard let text = String(validating: slice, as: UTF8.self) else { throw .invalidText(at: start) }
            return text
        }
        position = start
        guard let value = try bytes() else { return "" }
        guard let text = String(validating: value, as: UTF8.self) else { throw .invalidText(at: start) }
        return text
    }

    /// Steps over one value of any kind and depth, extension types included.
    package mutating func skip() throws(MessagePackError) {
        var pending = 1
        while pending > 0 {
            // Each value still to come takes a byte at least; this also keeps the sum below small.
            guard pending <= remaining else { throw .truncated(at: position) }
            pending += try skipHead() - 1
        }
    }

    /// Steps over a value, or over a container's head; returns how many values the container announced.
    private mutating func skipHead() throws(MessagePackError) -> Int {
        let start = position
        let head = try headByte()
        switch head {
        case 0x00...0x7f, 0xe0...0xff, 0xc0, 0xc2, 0xc3: return 0
        case 0x80...0x8f, 0xde, 0xdf:
            position = start
            return try mapHeader() * 2
        case 0x90...0x9f, 0xdc, 0xdd:
            position = start
            return try arrayHeader()
        case 0xcc, 0xd0: try advance(1)
        case 0xcd, 0xd1: try advance(2)
        case 0xca, 0xce, 0xd2: try advance(4)
        case 0xcb, 0xcf, 0xd3: try advance(8)
        case 0xd4...0xd8: try advance(1 + 1 << Int(head - 0xd4))
        case 0xc7...0xc9: try advance(1 + length(bytes: 1 << Int(head - 0xc7)))
        default:
            guard let count = try rawCount(head) else { throw .wrongType(head, at: start) }
            try advance(count)
        }
        return 0
    }

    /// The byte count that `head` announces, when it is of the raw, str8 or bin families.
    private mutating func rawCount(_ head: UInt8) throws(MessagePackError) -> Int? {
        switch head {
        case 0xa0...0xbf: return Int(head & 0x1f)
        case 0xd9, 0xc4: return try length(bytes: 1)
        case 0xda, 0xc5: return try length(bytes: 2)
        case 0xdb, 0xc6: return try length(bytes: 4)
        default: return nil
        }
    }

    private mutating func arrayCount(_ head: UInt8) throws(MessagePackError) -> Int? {
        switch head {
        case 0x90...0x9f: return Int(head & 0x0f)
        case 0xdc: return try length(bytes: 2)
        case 0xdd: return try length(bytes: 4)
        default: return nil
        }
    }

    private mutating func headByte() throws(MessagePackError) -> UInt8 {
        guard remaining > 0 else { throw .truncated(at: position) }
        defer { position += 1 }
        return input[position]
    }

    private mutating func bigEndian(bytes width: Int) throws(MessagePackError) -> UInt64 {
        guard remaining >= width else { throw .truncated(at: position) }
        var value: UInt64 = 0
        for index in position..<(position + width) { value = value << 8 | UInt64(input[index]) }
        position += width
        return value
    }

    /// A length of at most four bytes, which an `Int` always holds.
    private mutating func length(bytes width: Int) throws(MessagePackError) -> Int { Int(try bigEndian(bytes: width)) }

    private mutating func advance(_ count: Int) throws(MessagePackError) {
        guard count <= remaining else { throw .truncated(at: position) }
        position += count
    }
}

/// Why bytes are not the MessagePack value that was asked for. Positions are indices in the slice that was given.
package enum MessagePackError: Error, Hashable, Sendable {
    /// The bytes end before the value does, or a count says more than there is.
    case truncated(at: Int)
    /// Another kind of value, or no kind at all, begins with this byte.
    case wrongType(UInt8, at: Int)
    /// The integer does not fit the type that was asked for.
    case outOfRange(at: Int)
    /// The text is not UTF-8.
    case invalidText(at: Int)
}
