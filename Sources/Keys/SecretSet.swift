internal import CSodium
package import Transport

/// Secrets of which one has to be shown. It holds only digests of them, and how long a comparison takes says nothing
/// about any of them.
///
/// Digests are keyed BLAKE2b (crypto_generichash) with a key that is made with the set and is nowhere else, so that
/// nobody can tell before what the digest of a guess will be.
package struct SecretSet: Sendable {
    private static let digestBytes = 32

    private let key: [UInt8]
    /// One behind the other.
    private let digests: [UInt8]

    /// How many secrets there are.
    package let count: Int

    /// The caller's copies are the caller's to forget. Throws when libsodium cannot be initialised.
    package init(_ secrets: [[UInt8]]) throws(TransportError) {
        guard sodium_init() >= 0 else { throw .invalidConfiguration(reason: "libsodium cannot be initialised") }
        var key = [UInt8](repeating: 0, count: Self.digestBytes)
        randombytes_buf(&key, key.count)
        self.key = key
        count = secrets.count
        digests = secrets.flatMap { Self.digest($0, key: key) }
    }

    /// Whether `candidate` is one of the secrets. It is compared with all of them, in constant time each.
    package func contains(_ candidate: [UInt8]) -> Bool {
        let digest = Self.digest(candidate, key: key)
        return digests.withUnsafeBytes { digests in
            var found: CInt = 0
            for index in 0..<count {
                let other = digests.baseAddress?.advanced(by: index * Self.digestBytes)
                // 0 when equal, else -1.
                found |= sodium_memcmp(digest, other, Self.digestBytes) + 1
            }
            return found != 0
        }
    }

    private static func digest(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: digestBytes)
        let code = crypto_generichash(
            &digest, digest.count, bytes, UInt64(bytes.count), key, key.count)
        // It fails for lengths of digest and key only, which are constants here.
        precondition(code == 0, "crypto_generichash failed with \(code)")
        return digest
    }
}

extension SecretSet: CustomStringConvertible, CustomReflectable {
    /// Shows nothing of the secrets.
    package var description: String { "SecretSet(\(count) redacted)" }
    /// Shows nothing of the secrets.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
