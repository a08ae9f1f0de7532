internal import NIOCore
internal import Transport

/// A validator of a representation (RFC 9110 §8.8.3). Compared byte for byte.
struct EntityTag: Sendable, CustomStringConvertible {
    let isWeak: Bool
    /// What stands between the quotes.
    let opaque: String

    init(isWeak: Bool, opaque: String) {
        self.isWeak = isWeak
        self.opaque = opaque
    }

    /// The strong tag of exactly these bytes. Whoever writes todos can foretell it, which is no harm: two texts for one
    /// tag would still take 2^64 tries.
    init(of bytes: ByteBuffer) {
        let hash = bytes.withUnsafeReadableBytes { Self.hasher.hash($0) }
        let digits = String(hash, radix: 16)
        self.init(isWeak: false, opaque: String(repeating: "0", count: 32 - digits.utf8.count) + digits)
    }

    private static let hasher = SipHash(key0: 0, key1: 0)

    /// As it stands in a header.
    var description: String { "\(isWeak ? "W/" : "")\"\(opaque)\"" }

    /// Both strong, and the same (RFC 9110 §8.8.3.2).
    func isStronglyEqual(to other: Self) -> Bool { !isWeak && !other.isWeak && opaque.isSame(as: other.opaque) }

    /// The same, weak or not.
    func isWeaklyEqual(to other: Self) -> Bool { opaque.isSame(as: other.opaque) }
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
