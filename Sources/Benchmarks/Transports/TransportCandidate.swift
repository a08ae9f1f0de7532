package import Transport

/// A transport that is to be measured, and the limit that it is held against.
package struct TransportCandidate: Sendable {
    /// What the kernel or a C library gives alone.
    package enum Limit: Sendable {
        /// sendmmsg and recvmmsg.
        case datagrams
        case zeroMQ
    }

    package var name: String
    package var limit: Limit
    /// Binds an endpoint to 127.0.0.1 and any port, with the cluster key or without. All that have it hold the same one.
    package var bind: @Sendable (_ hasKey: Bool) throws -> any Transport

    package init(
        name: String, limit: Limit, bind: @escaping @Sendable (_ hasKey: Bool) throws -> any Transport
    ) {
        (self.name, self.limit, self.bind) = (name, limit, bind)
    }
}
