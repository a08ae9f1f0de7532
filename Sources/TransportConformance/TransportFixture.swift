internal import Foundation
public import Transport
internal import TransportKit

/// What the conformance suite needs to know of a plugin: how to make a node, and a few facts.
///
/// The times that a node waits for (to connect, for an answer, for a handshake) are to be `ConformanceTimes.dial`: the
/// checks wait for them.
public protocol TransportFixture: Sendable {
    /// A node that is bound and not yet running. Where it gets no address it takes a free port of 127.0.0.1.
    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport
    /// Whether who is refused is named by the host alone, since its connection comes from a port of the moment, and by
    /// 0.0.0.0 where it was gone too soon. Default `false`: by the address where it listens.
    var namesHostsOnly: Bool { get }
    /// Whether its ports are those of this machine, so that other programs reach them. Default `true`.
    var usesSockets: Bool { get }
    /// Whether it says something before it knows who has connected, so that a stranger is not hung up on without a word.
    /// Default `false`.
    var speaksFirst: Bool { get }
    /// Waits until what one of `nodes` broadcasts reaches the others. Default: at once.
    func settle(_ nodes: [TestNode]) async
    /// An address on which nothing listens. Default: a TCP port of this machine.
    func unusedAddress() throws -> PeerAddress
    /// An address that takes what comes and answers nothing, until `listeners` go. Default: a TCP listener that accepts
    /// nothing.
    func silentAddress(_ listeners: SilentListeners) throws -> PeerAddress
}

extension TransportFixture {
    /// See `TransportFixture`.
    public var namesHostsOnly: Bool { false }
    /// See `TransportFixture`.
    public var usesSockets: Bool { true }
    /// See `TransportFixture`.
    public var speaksFirst: Bool { false }
    /// See `TransportFixture`.
    public func settle(_ nodes: [TestNode]) async {}
    /// See `TransportFixture`.
    public func unusedAddress() throws -> PeerAddress {
        let (socket, address) = try StreamSocket.listen(on: SilentListeners.loopback)
        socket.close()
        return address
    }
    /// See `TransportFixture`.
    public func silentAddress(_ listeners: SilentListeners) throws -> PeerAddress { try listeners.add() }
}

/// How a node under test differs from the default.
public struct NodeOptions: Sendable {
    /// Where it is to be bound; `nil`: any free port of 127.0.0.1.
    public var address: PeerAddress?
    /// The cluster key.
    public var key: [UInt8]?
    /// Bound of each channel's arrivals.
    public var maxArrivalBytes: Int?
    /// Most exchanges at once that others open.
    public var maxExchanges: Int?

    /// The plugin's defaults where something is `nil`.
    public init(
        address: PeerAddress? = nil, key: [UInt8]? = nil, maxArrivalBytes: Int? = nil, maxExchanges: Int? = nil
    ) {
        self.address = address
        self.key = key
        self.maxArrivalBytes = maxArrivalBytes
        self.maxExchanges = maxExchanges
    }

    /// The address, or any free port of 127.0.0.1.
    public var bindAddress: PeerAddress { address ?? SilentListeners.loopback }
}

/// Times that checks and fixtures agree on.
public enum ConformanceTimes {
    /// How long a node under test waits for a connection, an answer, a handshake.
    public static let dial: Duration = .milliseconds(500)
}

/// Listeners whose connections nobody accepts: the system answers the connect, nobody what is sent. They end with the last
/// reference.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
public final class SilentListeners: @unchecked Sendable {
    /// Any free port of 127.0.0.1.
    public static let loopback = PeerAddress(host: .v4(0x7f00_0001), port: 0)

    private let lock = NSLock()
    private var sockets: [StreamSocket] = []

    /// None yet.
    public init() {}

    /// One more.
    public func add() throws -> PeerAddress {
        let (socket, address) = try StreamSocket.listen(on: Self.loopback)
        lock.withLock { sockets.append(socket) }
        return address
    }
}
