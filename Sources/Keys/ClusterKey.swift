internal import CSodium
public import Transport

/// The 32-byte key that all nodes of a cluster share. Never used itself: packets and exchanges have subkeys of it.
///
/// Shows nothing of itself in `print`, string interpolation or reflection, and is wiped when the last reference goes.
///
/// `@unchecked Sendable`: the memory is written in the initialiser only.
public final class ClusterKey: @unchecked Sendable {
    /// What a subkey is for; each purpose has one of its own, so that no two uses share nonces.
    public struct Purpose: Hashable, Sendable {
        /// What goes into the derivation.
        public let context: String

        /// A purpose of a plugin's own. `context` has exactly eight ASCII characters, which crypto_kdf asks for; those that
        /// begin with `acs-` are this project's.
        public init(_ context: String) {
            precondition(context.utf8.count == 8, "a context of \(context.utf8.count) bytes: \(context)")
            self.context = context
        }

        /// Sealing datagrams.
        public static let packets = Purpose("acs-pckt")
        /// Sealing streams.
        public static let exchanges = Purpose("acs-exch")
        /// Seed of the CURVE key pair of the side that binds.
        public static let curveServer = Purpose("acs-crvs")
        /// Seed of the CURVE key pair of the side that connects.
        public static let curveClient = Purpose("acs-crvc")
        /// Key of the hashes of rows.
        public static let rowHashes = Purpose("acs-rows")
    }

    /// Bytes of a key.
    public static let byteCount = 32

    // sodium_malloc keeps the pages out of swap and core dumps where the limits allow, and sodium_free wipes them.
    private let memory: UnsafeMutableRawPointer

    /// `bytes` must be exactly 32. The caller's copy is the caller's to forget.
    public init(_ bytes: [UInt8]) throws(TransportError) {
        guard bytes.count == Self.byteCount else {
            throw .invalidConfiguration(reason: "the key has \(bytes.count) bytes, it must have \(Self.byteCount)")
        }
        memory = try Self.allocate()
        memory.copyMemory(from: bytes, byteCount: Self.byteCount)
    }

    /// Reads what `base64` writes: 44 characters, the last one the padding. `nil` for any other text.
    package init?(base64 text: String) {
        guard let memory = try? Self.allocate() else { return nil }
        self.memory = memory
        var count = 0
        let code = sodium_base642bin(
            memory.assumingMemoryBound(to: UInt8.self), Self.byteCount, text, text.utf8.count, nil, &count, nil,
            sodium_base64_VARIANT_ORIGINAL)
        // The library (1.0.18) takes some characters beyond ASCII for digits.
        guard code == 0, count == Self.byteCount, base64.utf8.elementsEqual(text.utf8) else { return nil }
    }

    /// A new key from the system's generator.
    package static func random() throws(TransportError) -> ClusterKey {
        let memory = try allocate()
        randombytes_buf(memory, byteCount)
        return ClusterKey(memory: memory)
    }

    private init(memory: UnsafeMutableRawPointer) { self.memory = memory }

    private static func allocate() throws(TransportError) -> UnsafeMutableRawPointer {
        guard sodium_init() >= 0, let memory = sodium_malloc(byteCount) else {
            throw .invalidConfiguration(reason: "libsodium cannot be initialised")
        }
        return memory
    }

    deinit { sodium_free(memory) }

    /// The subkey for one purpose: crypto_kdf (BLAKE2b), id 1.
    public func subkey(for purpose: Purpose) -> Subkey {
        Subkey {
            crypto_kdf_derive_from_key(
                $0, Self.byteCount, 1, purpose.context, memory.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// A copy, which is the caller's to forget.
    package var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: memory, count: Self.byteCount)) }

    /// The form that `cluster.encrypt_key` takes: base64 of RFC 4648 §4, with padding.
    package var base64: String {
        let variant = sodium_base64_VARIANT_ORIGINAL
        var text = [CChar](repeating: 0, count: sodium_base64_encoded_len(Self.byteCount, variant))
        sodium_bin2base64(&text, text.count, memory.assumingMemoryBound(to: UInt8.self), Self.byteCount, variant)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension ClusterKey: Equatable {
    /// Takes the same time wherever the keys differ.
    public static func == (one: ClusterKey, other: ClusterKey) -> Bool {
        sodium_memcmp(one.memory, other.memory, byteCount) == 0
    }
}

extension ClusterKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of the bytes.
    public var description: String { "ClusterKey(redacted)" }
    /// Shows nothing of the bytes.
    public var debugDescription: String { description }
    /// Shows nothing of the bytes.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// 32 secret bytes derived from a `ClusterKey`, wiped when the last reference goes.
///
/// `@unchecked Sendable`: the memory is written in the initialiser only.
public final class Subkey: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
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
    public func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result { body(UnsafePointer(memory)) }

    /// The first 16 bytes as two numbers, for SipHash. The caller's copy is the caller's to forget.
    package var firstWords: (UInt64, UInt64) {
        withBytes { bytes in
            func word(_ offset: Int) -> UInt64 {
                (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
            }
            return (word(0), word(8))
        }
    }

    /// Another subkey, which follows from this one and `input`: keyed BLAKE2b.
    public func derived(from input: [UInt8]) -> Subkey {
        Subkey { output in
            crypto_generichash(output, ClusterKey.byteCount, input, UInt64(input.count), memory, ClusterKey.byteCount)
        }
    }

    /// Shows nothing of the bytes.
    public var description: String { "Subkey(redacted)" }
    /// Shows nothing of the bytes.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
