internal import CSodium

/// One direction of a sealed stream: libsodium's secretstream (XChaCha20-Poly1305), which numbers its messages, so
/// that none can be dropped, doubled or moved. The state is wiped when the last reference goes.
///
/// `@unchecked Sendable`: used by one thread at a time, under its owner's lock or on its owner's event loop.
public final class SecretStream: @unchecked Sendable {
    /// Bytes of the header that the sending side puts in front.
    public static let headerBytes = 24
    /// Bytes that sealing adds to each message.
    public static let overheadBytes = 17

    /// The header to send; empty on the receiving side.
    public let header: [UInt8]
    private let state: UnsafeMutablePointer<crypto_secretstream_xchacha20poly1305_state>

    /// The sending side.
    public init(sendingWith key: Subkey) {
        let state = UnsafeMutablePointer<crypto_secretstream_xchacha20poly1305_state>.allocate(capacity: 1)
        state.initialize(to: crypto_secretstream_xchacha20poly1305_state())
        self.state = state
        var header = [UInt8](repeating: 0, count: Self.headerBytes)
        let code = key.withBytes { crypto_secretstream_xchacha20poly1305_init_push(state, &header, $0) }
        precondition(code == 0, "secretstream init failed with \(code)")
        self.header = header
    }

    /// The receiving side; `header` has 24 bytes. Fails for a header that no sender makes.
    public init?(receivingWith key: Subkey, header: [UInt8]) {
        precondition(header.count == Self.headerBytes, "a header of \(header.count) bytes")
        let state = UnsafeMutablePointer<crypto_secretstream_xchacha20poly1305_state>.allocate(capacity: 1)
        state.initialize(to: crypto_secretstream_xchacha20poly1305_state())
        self.state = state
        self.header = []
        guard key.withBytes({ crypto_secretstream_xchacha20poly1305_init_pull(state, header, $0) }) == 0 else {
            return nil
        }
    }

    /// Random bytes for a handshake, from the system.
    public static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        randombytes_buf(&bytes, bytes.count)
        return bytes
    }

    deinit {
        sodium_memzero(state, MemoryLayout<crypto_secretstream_xchacha20poly1305_state>.size)
        state.deallocate()
    }

    /// Appends the sealed form of `message` to `target`; `isLast` marks it as the end of the stream.
    public func push(_ message: [UInt8], isLast: Bool = false, to target: inout [UInt8]) {
        let tag: UInt8 = isLast ? 3 : 0  // TAG_FINAL and TAG_MESSAGE, macros over function calls that Swift cannot see.
        let sealed = [UInt8](unsafeUninitializedCapacity: message.count + Self.overheadBytes) { buffer, count in
            count = message.count + Self.overheadBytes
            guard let base = buffer.baseAddress else { return }
            let code = crypto_secretstream_xchacha20poly1305_push(
                state, base, nil, message, UInt64(message.count), nil, 0, tag)
            precondition(code == 0, "secretstream push failed with \(code)")
        }
        target += sealed
    }

    /// Opens one sealed message of at least 17 bytes; `nil` when it is not the genuine next one.
    public func pull(_ sealed: ArraySlice<UInt8>) -> (message: [UInt8], isLast: Bool)? {
        guard sealed.count >= Self.overheadBytes else { return nil }
        var tag: UInt8 = 0
        var isGenuine = false
        let message = sealed.withUnsafeBufferPointer { source in
            [UInt8](unsafeUninitializedCapacity: sealed.count - Self.overheadBytes) { buffer, count in
                let code = crypto_secretstream_xchacha20poly1305_pull(
                    state, buffer.baseAddress, nil, &tag, source.baseAddress, UInt64(source.count), nil, 0)
                isGenuine = code == 0
                count = isGenuine ? sealed.count - Self.overheadBytes : 0
            }
        }
        return isGenuine ? (message, tag == 3) : nil
    }
}
