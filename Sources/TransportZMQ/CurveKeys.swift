internal import CLibZMQ
internal import CSodium
import Keys
import Transport

/// The CURVE key pairs of a cluster: one for whoever binds, one for whoever connects, both following from the cluster
/// key, so that holding it is what lets a node in and what it expects of others. Each connection has keys of its own
/// beside them (CurveZMQ, RFC 26), so that a recording cannot be read with the cluster key later.
final class CurveKeys {
    /// The name under which libzmq asks whether a client may come in.
    static let domain = "cluster"

    private struct Pair {
        var publicKey = [UInt8](repeating: 0, count: 32)
        var secretKey = [UInt8](repeating: 0, count: 32)

        init(seed: Subkey) {
            // crypto_box keys are CURVE's: X25519. Deriving cannot fail.
            _ = seed.withBytes { crypto_box_seed_keypair(&publicKey, &secretKey, $0) }
        }

        mutating func wipe() { sodium_memzero(&secretKey, secretKey.count) }
    }

    private var server: Pair
    private var client: Pair

    init(_ key: ClusterKey) {
        server = Pair(seed: key.subkey(for: .curveServer))
        client = Pair(seed: key.subkey(for: .curveClient))
    }

    deinit {
        server.wipe()
        client.wipe()
    }

    /// For a socket that binds.
    func secureServer(_ socket: ZMQSocket) throws(TransportError) {
        try socket.set(ZMQ_CURVE_SERVER, 1)
        try socket.set(ZMQ_CURVE_SECRETKEY, server.secretKey)
    }

    /// For a socket that connects.
    func secureClient(_ socket: ZMQSocket) throws(TransportError) {
        try socket.set(ZMQ_CURVE_SERVERKEY, server.publicKey)
        try socket.set(ZMQ_CURVE_PUBLICKEY, client.publicKey)
        try socket.set(ZMQ_CURVE_SECRETKEY, client.secretKey)
    }

    /// Whether a client's public key is the cluster's.
    func isClient(_ publicKey: [UInt8]) -> Bool {
        publicKey.count == client.publicKey.count && sodium_memcmp(publicKey, client.publicKey, publicKey.count) == 0
    }
}
