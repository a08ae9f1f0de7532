/// A token of the REST API: 16 to 512 bytes of what RFC 6750 §2.1 calls a b64token. Neither printing nor reflection shows
/// it.
struct AccessToken: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    static let byteCounts = 16...512

    let bytes: [UInt8]

    /// `nil` for what is no token.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let characters = bytes.prefix { $0 != UInt8(ascii: "=") }
        guard Self.byteCounts.contains(bytes.count), !characters.isEmpty, characters.allSatisfy(Self.isTokenCharacter),
            bytes.dropFirst(characters.count).allSatisfy({ $0 == UInt8(ascii: "=") })
        else { return nil }
        self.bytes = bytes
    }

    var description: String { "AccessToken(redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~+/".utf8.contains(byte)
        }
    }
}

/// A file of tokens: one a line; blank lines, and lines that begin with `#`, say nothing.
enum AccessTokenFile {
    static let maximumBytes = 128 << 10
    static let maximumCount = 100

    /// Why a text holds no usable tokens, for the operator; it shows none of them.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// At least one token.
    static func parse(_ bytes: [UInt8]) throws(Fault) -> [AccessToken] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault(description: "expected UTF-8, found other bytes")
        }
        var tokens: [AccessToken] = []
        // A Unicode scalar at a time: CR LF is one character.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let isBlank = { (scalar: Unicode.Scalar) in scalar == " " || scalar == "\t" || scalar == "\r" }
            var content = line.drop(while: isBlank)
            while let last = content.last, isBlank(last) { content.removeLast() }
            if content.isEmpty || content.first == "#" { continue }
            guard let token = AccessToken(Substring(content)) else {
                let expectation = ValueRule<AccessToken>.accessToken.expectation
                throw Fault(description: "expected \(expectation) in line \(index + 1), which is not shown")
            }
            tokens.append(token)
            guard tokens.count <= maximumCount else {
                throw Fault(description: "expected at most \(maximumCount) tokens, found more")
            }
        }
        guard !tokens.isEmpty else { throw Fault(description: "it holds no token") }
        return tokens
    }
}
