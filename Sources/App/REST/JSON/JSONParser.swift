/// Why a text is no JSON that the service reads.
struct JSONSyntaxError: Error, Equatable, CustomStringConvertible {
    var message: String
    /// From 0.
    var offset: Int

    var description: String { "\(message) at byte \(offset)" }

    /// For the documentation.
    static let sample = Self(message: "expected a value", offset: 0)
}

/// Reads JSON (RFC 8259) from untrusted bytes, strictly.
///
/// Foundation's readers keep the last of several members with one name, take names for equal that Unicode calls
/// equivalent, and mend broken surrogates. Here strings keep their bytes, and these are errors: bytes that are not
/// UTF-8, half a surrogate pair, a name given twice (RFC 7493), a number beyond a double, nesting deeper than
/// `maximumDepth`, and more than `maximumValueCount` values.
struct JSONParser {
    static let maximumDepth = 64
    static let maximumValueCount = 10_000

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var valueCount = 0

    static func parse(_ bytes: some Collection<UInt8>) throws(JSONSyntaxError) -> JSONValue {
        var outcome: Result<JSONValue, JSONSyntaxError>?
        let read = { (buffer: UnsafeBufferPointer<UInt8>) in
            var parser = JSONParser(bytes: buffer)
            outcome = Result { () throws(JSONSyntaxError) in try parser.document() }
        }
        if bytes.withContiguousStorageIfAvailable(read) == nil { Array(bytes).withUnsafeBufferPointer(read) }
        guard let outcome else { throw JSONSyntaxError(message: "unreadable", offset: 0) }
        return try outcome.get()
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func document() throws(JSONSyntaxError) -> JSONValue {
        let value = try value(depth: 1)
        skipSpace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        valueCount += 1
        guard valueCount <= Self.maximumValueCount else { throw error("more than \(Self.maximumValueCount) values") }
        guard let first = current else { throw error("unexpected end") }
        switch first {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw error("unexpected character")
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONObject {
        guard depth <= Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth)") }
        var object = JSONObject()
        var names = NameSet()
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return object }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw error("expected a member name") }
            let start = position
            let name = try string()
            guard names.insert(name) else { throw JSONSyntaxError(message: "a member name given twice", offset: start) }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
            object.members.append(JSONObject.Member(name: name, value: try value(depth: depth + 1)))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw error("expected ',' or '}'") }
        return object
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSONValue] {
        guard depth <= Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth)") }
        var values: [JSONValue] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return values }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']'") }
        return values
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        let letters = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(letters) else {
            throw error("unexpected character")
        }
        position = end
        return value
    }

    private mutating func number() throws(JSONSyntaxError) -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard Double(text)?.isFinite == true else {
            throw JSONSyntaxError(message: "a number beyond the range of a double", offset: start)
        }
        return text
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(current) { position += 1 }
        guard position > start else { throw error("expected a digit") }
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        let start = position
        // Most strings have no escapes and are copied once.
        while let current, current != UInt8(ascii: "\""), current != UInt8(ascii: "\\"), current >= 0x20 {
            position += 1
        }
        if current == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position], from: start)
        }
        var unescaped = Array(bytes[start..<position])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(unescaped[...], from: start)
            case UInt8(ascii: "\\"):
                try escape(into: &unescaped)
            case 0..<0x20:
                throw error("a control character in a string")
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw error("a string without end")
    }

    private func text(_ bytes: some Sequence<UInt8>, from start: Int) throws(JSONSyntaxError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JSONSyntaxError(message: "not UTF-8 in the string", offset: start)
        }
        return text
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONSyntaxError) {
        position += 1
        let letter = current
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(letter ?? 0)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): bytes.append(contentsOf: UTF8.encode(try escapedScalar()) ?? .init())
        default:
            position -= 1
            throw error("unknown escape")
        }
    }

    /// After `\u`: four hexadecimal digits, or eight in two escapes for what lies beyond the basic plane.
    private mutating func escapedScalar() throws(JSONSyntaxError) -> Unicode.Scalar {
        let start = position - 2
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xdc00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
            let second = try hexadecimal()
            if (0xdc00...0xdfff).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + UInt32(second) - 0xdc00)
            {
                return scalar
            }
        }
        throw JSONSyntaxError(message: "half a surrogate pair", offset: start)
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let current, let digit = Character(Unicode.Scalar(current)).hexDigitValue else {
                throw error("expected a hexadecimal digit")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}

// MARK: - Bytes

extension JSONParser {
    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let current, current == 0x20 || current == 0x0a || current == 0x0d || current == 0x09 { position += 1 }
    }

    private func error(_ message: String) -> JSONSyntaxError { JSONSyntaxError(message: message, offset: position) }
}

/// The names of one object: compared one by one while they are few, hashed when they are many.
private struct NameSet {
    /// A text as its bytes.
    private struct Name: Hashable {
        let text: String

        static func == (left: Self, right: Self) -> Bool { left.text.isSame(as: right.text) }
        func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
    }

    private static let fewCount = 8
    private var few: [String] = []
    private var many: Set<Name> = []

    /// `false` when it was there already.
    mutating func insert(_ name: String) -> Bool {
        if many.isEmpty {
            guard !few.contains(where: { $0.isSame(as: name) }) else { return false }
            few.append(name)
            if few.count > Self.fewCount { many = Set(few.map(Name.init)) }
            return true
        }
        return many.insert(Name(text: name)).inserted
    }
}
