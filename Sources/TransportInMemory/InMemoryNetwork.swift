internal import class Foundation.NSLock
public import Transport

/// A network within one process, for tests and as the worked example of a plugin: nodes bound to made-up addresses
/// move messages by handing them over.
///
/// It keeps the promises of `Transport`, keys included: nodes with different keys, or of which only one has a key,
/// refuse each other. It does not encrypt.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
public final class InMemoryNetwork: @unchecked Sendable {
    private let lock = NSLock()
    private var nodes: [PeerAddress: InMemoryTransport] = [:]
    private var silent: Set<PeerAddress> = []
    private var nextPort: UInt16 = 1

    /// Nobody is there yet.
    public init() {}

    /// A new node at `address`; `nil`, or port 0, takes a free port. Throws `addressInUse` while another node runs
    /// there.
    public func bind(
        _ address: PeerAddress? = nil, configuration: InMemoryConfiguration = InMemoryConfiguration()
    ) throws(TransportError) -> InMemoryTransport {
        lock.lock()
        defer { lock.unlock() }
        var bound = address ?? PeerAddress(host: .v4(0x7f00_0001), port: 0)
        if bound.port == 0 {
            while nodes[bound.with(port: nextPort)] != nil || silent.contains(bound.with(port: nextPort)) {
                nextPort = nextPort == .max ? 1 : nextPort + 1
            }
            bound = bound.with(port: nextPort)
            nextPort = nextPort == .max ? 1 : nextPort + 1
        }
        guard nodes[bound] == nil, !silent.contains(bound) else { throw .addressInUse(bound) }
        let node = InMemoryTransport(network: self, address: bound, configuration: configuration)
        nodes[bound] = node
        return node
    }

    /// From now on `address` takes everything and answers nothing, as a host behind a firewall that drops packets.
    public func silence(_ address: PeerAddress) { lock.withLock { _ = silent.insert(address) } }

    enum Target { case node(InMemoryTransport), silent, nobody }

    func target(_ address: PeerAddress) -> Target {
        lock.withLock {
            if silent.contains(address) { return .silent }
            return nodes[address].map { .node($0) } ?? .nobody
        }
    }

    func unbind(_ address: PeerAddress) { lock.withLock { nodes[address] = nil } }
}

/// Bounds and key of one node of an `InMemoryNetwork`.
public struct InMemoryConfiguration: Sendable {
    /// Stands for the cluster key; only compared.
    public var key: [UInt8]?
    /// Largest message of `send` and `broadcast`. Default 1,399, as over UDP.
    public var maxMessageBytes = 1_399
    /// Largest message in an exchange. Default 1 MiB.
    public var maxExchangeMessageBytes = 1024 * 1024
    /// Most bytes of arrived messages that wait, per channel, 64 added per message. Default 16 MiB.
    public var maxArrivalBytes = 16 * 1024 * 1024
    /// Most exchanges at once that peers opened. Default 128.
    public var maxExchanges = 128
    /// Bytes in one direction of an exchange beyond which the sender waits. Default 256 KiB.
    public var exchangeWindowBytes = 256 * 1024
    /// How long a silent address is waited for. Default 1 s.
    public var answerTimeout: Duration = .seconds(1)

    /// The defaults, without a key.
    public init() {}
}
