internal import CSodium
package import Keys
import Transport

/// Seals packets with XChaCha20-Poly1305 under memberlist's encryption framing, version byte 2.
///
///     02, nonce 24 bytes, ciphertext as long as the content, tag 16 bytes
///
/// The version byte is authenticated too. The nonce is random, so that it never runs out and needs no state, but for
/// its first bit, which is 0: the second byte of a clear ack (02 and a msgpack map) is 0x80 or more, so that a node
/// without a key tells the two apart for certain. Openers take any nonce.
package struct PacketSeal: Sendable {
    /// The first byte of a sealed packet; in memberlist's terms, encryption version 2.
    package static let version: UInt8 = 2
    /// Bytes that sealing adds: version, nonce and tag.
    package static let overheadBytes = 1 + nonceBytes + tagBytes

    private static let nonceBytes = 24
    private static let tagBytes = 16

    private let key: Subkey

    /// Derives the packet subkey of `clusterKey`.
    package init(_ clusterKey: ClusterKey) { key = clusterKey.subkey(for: .packets) }

    /// The sealed form of `content`, with a fresh random nonce.
    package func seal(_ content: [UInt8]) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: Self.nonceBytes)
        randombytes_buf(&nonce, nonce.count)
        nonce[0] &= 0x7f
        return seal(content, nonce: nonce)
    }

    /// For known-answer tests; `nonce` has 24 bytes and must never repeat under one key.
    func seal(_ content: [UInt8], nonce: [UInt8]) -> [UInt8] {
        precondition(nonce.count == Self.nonceBytes, "a nonce of \(nonce.count) bytes")
        var version = Self.version
        return [UInt8](unsafeUninitializedCapacity: content.count + Self.overheadBytes) { buffer, count in
            count = content.count + Self.overheadBytes
            buffer[0] = Self.version
            for index in 0..<Self.nonceBytes { buffer[1 + index] = nonce[index] }
            guard let base = buffer.baseAddress else { return }
            let code = key.withBytes { key in
                crypto_aead_xchacha20poly1305_ietf_encrypt(
                    base + 1 + Self.nonceBytes, nil, content, UInt64(content.count), &version, 1, nil, nonce, key)
            }
            precondition(code == 0, "sealing \(content.count) bytes failed with \(code)")
        }
    }

    /// The content of a sealed packet, or `nil` when it was not sealed with this key or was changed on the way.
    package func open(_ packet: ArraySlice<UInt8>) -> [UInt8]? {
        let contentBytes = packet.count - Self.overheadBytes
        guard contentBytes >= 0, packet.first == Self.version else { return nil }
        var version = Self.version
        var isGenuine = false
        let content = packet.withUnsafeBufferPointer { source -> [UInt8] in
            guard let base = source.baseAddress else { return [] }
            return [UInt8](unsafeUninitializedCapacity: contentBytes) { buffer, count in
                let code = key.withBytes { key in
                    crypto_aead_xchacha20poly1305_ietf_decrypt(
                        buffer.baseAddress, nil, nil, base + 1 + Self.nonceBytes,
                        UInt64(contentBytes + Self.tagBytes), &version, 1, base + 1, key)
                }
                isGenuine = code == 0
                count = isGenuine ? contentBytes : 0
            }
        }
        return isGenuine ? content : nil
    }
}
