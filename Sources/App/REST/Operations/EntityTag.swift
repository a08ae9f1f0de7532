internal import NIOCore
internal import Transport

/// A validator of a representation (RFC 9110 §8.8.3). Compared byte for byte.
struct EntityTag: Sendable, CustomStringConvertible {
    /// As it stands in a header: `"…"`, or `W/"…"`.
    let description: String

    /// - Parameter opaque: what stands between the quotes.
    init(isWeak: Bool, opaque: String) { description = "\(isWeak ? "W/" : "")\"\(opaque)\"" }

    /// The strong tag of exactly these bytes. Whoever writes todos can foretell it, which is no harm: two texts for one
    /// tag would still take 2^64 tries.
    init(of bytes: ByteBuffer) {
        let hash = bytes.withUnsafeReadableBytes { Self.hasher.hash($0) }
        // The library's own way for numbers of 128 bits takes longer than the hash.
        description = String(unsafeUninitializedCapacity: 34) { text in
            text[0] = UInt8(ascii: "\"")
            for (half, number) in [UInt64(truncatingIfNeeded: hash >> 64), UInt64(truncatingIfNeeded: hash)]
                .enumerated()
            {
                number.writeHexadecimal(to: text.extracting((1 + half * 16)..<(17 + half * 16)))
            }
            text[33] = UInt8(ascii: "\"")
            return 34
        }
    }

    private static let hasher = SipHash(key0: 0, key1: 0)

    var isWeak: Bool { description.utf8.first == UInt8(ascii: "W") }

    /// Both strong, and the same (RFC 9110 §8.8.3.2).
    func isStronglyEqual(to other: Self) -> Bool { !isWeak && description.isSame(as: other.description) }

    /// The same, weak or not.
    func isWeaklyEqual(to other: Self) -> Bool { quoted.elementsEqual(other.quoted) }

    private var quoted: Substring.UTF8View { description.utf8.dropFirst(isWeak ? 2 : 0) }
}

extension UInt64 {
    /// All 16 digits. `text` has 16 bytes.
    fileprivate func writeHexadecimal(to text: UnsafeMutableBufferPointer<UInt8>) {
        for index in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: self >> UInt64(60 - 4 * index)) & 15
            text[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }
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
