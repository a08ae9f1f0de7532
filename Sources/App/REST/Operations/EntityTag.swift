internal import NIOCore
internal import Transport

/// A validator of a representation (RFC 9110 §8.8.3). Compared byte for byte.
struct EntityTag: Sendable, CustomStringConvertible {
    /// As it stands in a header: `"…"`, or `W/"…"`.
    let description: String

    /// - Parameter opaque: what stands between the quotes.
    init(isWeak: Bool, opaque: String) { description = "\(isWeak ? "W/" : "")\"\(opaque)\"" }

    /// The strong tag of exactly these bytes.
    init(of bytes: ByteBuffer) {
        self.init(digest: bytes.withUnsafeReadableBytes { SipHash(key0: 0, key1: 0).hash($0) })
    }

    /// The strong tag of the state with this digest: 32 digits.
    init(digest: UInt128) {
        // The library's own way for numbers of 128 bits takes longer than the digest.
        description = String(unsafeUninitializedCapacity: 2 + Self.digestDigits) { text in
            text[0] = UInt8(ascii: "\"")
            var rest = digest
            for index in stride(from: Self.digestDigits, to: 0, by: -1) {
                let digit = UInt8(truncatingIfNeeded: rest) & 15
                text[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                rest >>= 4
            }
            text[1 + Self.digestDigits] = UInt8(ascii: "\"")
            return 2 + Self.digestDigits
        }
    }

    private static let digestDigits = 32

    /// What the tag was made of, weak or not; `nil` for a tag that is no digest's. Each digest has one text.
    var digest: UInt128? {
        let digits = quoted.dropFirst().dropLast()
        guard digits.count == Self.digestDigits else { return nil }
        var digest: UInt128 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digest = digest << 4 | UInt128(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digest = digest << 4 | UInt128(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return digest
    }

    var isWeak: Bool { description.utf8.first == UInt8(ascii: "W") }

    /// Both strong, and the same (RFC 9110 §8.8.3.2).
    func isStronglyEqual(to other: Self) -> Bool { !isWeak && description.isSame(as: other.description) }

    /// The same, weak or not.
    func isWeaklyEqual(to other: Self) -> Bool { quoted.elementsEqual(other.quoted) }

    private var quoted: Substring.UTF8View { description.utf8.dropFirst(isWeak ? 2 : 0) }
}

/// What `If-Match` and `If-None-Match` say.
enum EntityTagList: Sendable {
    /// `*`
    case any
    /// Empty for what cannot be read: that matches nothing.
    case tags([EntityTag])

    init(_ text: String) {
        var reader = EntityTagReader(bytes: Array(text.utf8))
        self = reader.list()
    }
}

/// Reads `*`, or a list of tags between commas (RFC 9110 §8.8.3, §5.6.1).
private struct EntityTagReader {
    let bytes: [UInt8]
    private var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func list() -> EntityTagList {
        skip(" \t,")
        if next(is: "*") {
            skip(" \t")
            return index == bytes.count ? .any : .tags([])
        }
        var tags: [EntityTag] = []
        while index < bytes.count {
            guard let tag = tag() else { return .tags([]) }
            tags.append(tag)
            skip(" \t")
            guard index == bytes.count || next(is: ",") else { return .tags([]) }
            skip(" \t,")
        }
        return .tags(tags)
    }

    private mutating func tag() -> EntityTag? {
        let isWeak = next(is: "W/")
        guard next(is: "\""), let end = bytes[index...].firstIndex(of: UInt8(ascii: "\"")),
            let opaque = String(validating: bytes[index..<end], as: UTF8.self)
        else { return nil }
        index = end + 1
        return EntityTag(isWeak: isWeak, opaque: opaque)
    }

    private mutating func next(is text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[index...].starts(with: wanted) else { return false }
        index += wanted.count
        return true
    }

    private mutating func skip(_ signs: String) {
        while index < bytes.count, signs.utf8.contains(bytes[index]) { index += 1 }
    }
}
