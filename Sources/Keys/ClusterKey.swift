internal import CSodium
package import Transport

/// The 32-byte key that all nodes of a cluster share. Never used itself: packets and exchanges have subkeys of it.
///
/// Shows nothing of itself in `print`, string interpolation or reflection, and is wiped when the last reference goes.
///
/// `@unchecked Sendable`: the memory is written in the initialiser only.
package final class ClusterKey: @unchecked Sendable {
    /// What the key encrypts; each purpose has a subkey of its own, so that no two uses share nonces.
    package enum Purpose: String {
        // crypto_kdf takes a context of exactly 8 bytes.
        case packets = "acs-pckt"
        case exchanges = "acs-exch"
        /// Seed of the CURVE key pair of the side that binds.
        case curveServer = "acs-crvs"
        /// Seed of the CURVE key pair of the side that connects.
        case curveClient = "acs-crvc"
    }

    /// Bytes of a key.
    package static let byteCount = 32

    // sodium_malloc keeps the pages out of swap and core dumps where the limits allow, and sodium_free wipes them.
    private let memory: UnsafeMutableRawPointer

    /// `bytes` must be exactly 32. The caller's copy is the caller's to forget.
    package init(_ bytes: [UInt8]) throws(TransportError) {
        guard sodium_init() >= 0, let memory = sodium_malloc(Self.byteCount) else {
            throw .invalidConfiguration(reason: "libsodium cannot be initialised")
        }
        guard bytes.count == Self.byteCount else {
            sodium_free(memory)
            throw .invalidConfiguration(reason: "the key has \(bytes.count) bytes, it must have \(Self.byteCount)")
        }
        memory.copyMemory(from: bytes, byteCount: Self.byteCount)
        self.memory = memory
    }

    deinit { sodium_free(memory) }

    /// The subkey for one purpose: crypto_kdf (BLAKE2b), id 1.
    package func subkey(for purpose: Purpose) -> Subkey {
        Subkey {
            crypto_kdf_derive_from_key(
                $0, Self.byteCount, 1, purpose.rawValue, memory.assumingMemoryBound(to: UInt8.self))
        }
    }
}

extension ClusterKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of the bytes.
    package var description: String { "ClusterKey(redacted)" }
    /// Shows nothing of the bytes.
    package var debugDescription: String { description }
    /// Shows nothing of the bytes.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// 32 secret bytes derived from a `ClusterKey`, wiped when the last reference goes.
///
/// `@unchecked Sendable`: the memory is written in the initialiser only.
package final class Subkey: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
    private let memory: UnsafeMutablePointer<UInt8>

    /// `derive` writes 32 bytes and returns a libsodium code; it can only fail for lengths that are constants here.
    package init(_ derive: (UnsafeMutablePointer<UInt8>) -> CInt) {
        memory = .allocate(capacity: ClusterKey.byteCount)
        memory.initialize(repeating: 0, count: ClusterKey.byteCount)
        let code = derive(memory)
        precondition(code == 0, "key derivation failed with \(code)")
    }

    deinit {
        sodium_memzero(memory, ClusterKey.byteCount)
        memory.deallocate()
    }

    /// For libsodium calls; the pointer must not be kept.
    package func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result { body(UnsafePointer(memory)) }

    /// Shows nothing of the bytes.
    package var description: String { "Subkey(redacted)" }
    /// Shows nothing of the bytes.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
