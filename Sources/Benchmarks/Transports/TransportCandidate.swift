package import Transport

/// A transport that is to be measured, and the limit that it is held against.
package struct TransportCandidate: Sendable {
    /// What the kernel or a C library gives alone.
    package enum Limit: Sendable {
        /// sendmmsg and recvmmsg.
        case datagrams
        case zeroMQ
    }

    /// As the configuration calls it.
    package var kind: String
    /// `nil`: nothing in C does the same.
    package var limit: Limit?
    /// Binds an endpoint to 127.0.0.1 and any port, with the cluster key or without. All that have it hold the same one.
    package var bind: @Sendable (_ hasKey: Bool) throws -> any Transport

    /// With the limit that is known for transports of that kind.
    package init(kind: String, bind: @escaping @Sendable (_ hasKey: Bool) throws -> any Transport) {
        let limits: [String: Limit] = ["udp": .datagrams, "zmq": .zeroMQ]
        (self.kind, self.limit, self.bind) = (kind, limits[kind], bind)
    }
}
