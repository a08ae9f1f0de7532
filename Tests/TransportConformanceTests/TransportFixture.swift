import CSockets
import Foundation
import Keys
import Testing
import Transport
import TransportUDP
import TransportZMQ

/// What the conformance suite needs to know of a plugin.
protocol TransportFixture: Sendable {
    /// A node that is bound and not yet running.
    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport
    /// Whether who is refused is named by the host alone, since its connection comes from a port of the moment, and by
    /// 0.0.0.0 where it was gone too soon.
    var namesHostsOnly: Bool { get }
    /// Waits until what one of `nodes` broadcasts reaches the others.
    func settle(_ nodes: [TestNode]) async
    /// An address on which nothing listens.
    func unusedAddress() throws -> PeerAddress
    /// An address that takes what comes and answers nothing, until the fixture goes.
    func silentAddress() throws -> PeerAddress
}

extension TransportFixture {
    var namesHostsOnly: Bool { false }
    func settle(_ nodes: [TestNode]) async {}
}

/// How a node under test differs from the default.
struct NodeOptions: Sendable {
    var address: PeerAddress?
    var key: [UInt8]?
    var maxArrivalBytes: Int?
    var maxExchanges: Int?
}

/// The plugins that the suite runs over. Another plugin is one case and one line in `fixture`.
enum Plugin: String, CaseIterable, Codable, Sendable {
    case memory
    case udp
    case zmq

    func fixture() -> any TransportFixture {
        switch self {
        case .memory: MemoryFixture()
        case .udp: UDPFixture()
        case .zmq: ZMQFixture()
        }
    }
}

/// A plugin with or without a cluster key.
struct Setting: Codable, Sendable, CustomTestStringConvertible {
    var plugin: Plugin
    var key: [UInt8]?

    static let all = Plugin.allCases.flatMap { [Setting(plugin: $0, key: nil), Setting(plugin: $0, key: testKey)] }
    static let testKey = [UInt8](1...32)
    static let otherKey = [UInt8](101...132)

    var testDescription: String { "\(plugin)\(key == nil ? "" : ", with key")" }
}

struct MemoryFixture: TransportFixture {
    private let network = InMemoryNetwork()

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = InMemoryConfiguration()
        configuration.key = options.key
        configuration.answerTimeout = .milliseconds(500)
        if let bytes = options.maxArrivalBytes { configuration.maxArrivalBytes = bytes }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        return try network.bind(options.address, configuration: configuration)
    }

    func unusedAddress() -> PeerAddress { PeerAddress(host: .v4(0x7f00_0001), port: 60_001) }

    func silentAddress() -> PeerAddress {
        let address = PeerAddress(host: .v4(0x7f00_0001), port: 60_002)
        network.silence(address)
        return address
    }
}

struct UDPFixture: TransportFixture {
    private let listeners = SilentListeners()

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = UDPTransportConfiguration()
        if let address = options.address { configuration.bindAddress = address }
        if let key = options.key { configuration.key = try ClusterKey(key) }
        if let bytes = options.maxArrivalBytes {
            configuration.maxMembershipArrivalBytes = bytes
            configuration.maxReplicationArrivalBytes = bytes
        }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        configuration.handshakeTimeout = .milliseconds(500)
        configuration.connectTimeout = .milliseconds(500)
        configuration.membershipStreamEnd = TestMessage.end
        return try UDPTransport.bind(configuration)
    }

    func unusedAddress() throws -> PeerAddress { try listeners.unusedAddress() }
    func silentAddress() throws -> PeerAddress { try listeners.silentAddress() }
}

struct ZMQFixture: TransportFixture {
    private let listeners = SilentListeners()

    let namesHostsOnly = true

    /// A peer says when it gets what is broadcast.
    func settle(_ nodes: [TestNode]) async {
        for node in nodes {
            let others = Set(nodes.map(\.address)).subtracting([node.address])
            await eventually("all are connected") { node.connected.isSuperset(of: others) }
        }
    }

    func makeNode(_ options: NodeOptions) throws(TransportError) -> any Transport {
        var configuration = ZMQTransportConfiguration()
        if let address = options.address { configuration.bindAddress = address }
        if let key = options.key { configuration.key = try ClusterKey(key) }
        if let bytes = options.maxArrivalBytes {
            configuration.maxMembershipArrivalBytes = bytes
            configuration.maxReplicationArrivalBytes = bytes
        }
        if let count = options.maxExchanges { configuration.maxExchanges = count }
        configuration.answerTimeout = .milliseconds(500)
        return try ZMQTransport.bind(configuration)
    }

    func unusedAddress() throws -> PeerAddress { try listeners.unusedAddress() }
    func silentAddress() throws -> PeerAddress { try listeners.silentAddress() }
}

/// Listeners whose connections nobody accepts: the system answers the connect, nobody what is sent.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class SilentListeners: @unchecked Sendable {
    private let lock = NSLock()
    private var descriptors: [CInt] = []

    deinit { for descriptor in descriptors { close(descriptor) } }

    func unusedAddress() throws -> PeerAddress {
        let (descriptor, address) = try listen()
        close(descriptor)
        return address
    }

    func silentAddress() throws -> PeerAddress {
        let (descriptor, address) = try listen()
        lock.withLock { descriptors.append(descriptor) }
        return address
    }

    private func listen() throws -> (CInt, PeerAddress) {
        var port: UInt16 = 0
        let descriptor = cs_listen_stream([127, 0, 0, 1], 4, 0, 65_536, &port)
        guard descriptor >= 0 else { throw TransportError.failed(reason: "listen: \(-descriptor)") }
        return (descriptor, PeerAddress(host: .v4(0x7f00_0001), port: port))
    }
}

/// Messages that every plugin takes on both channels: as memberlist's user messages they may travel bare over UDP, and
/// their end can be found in a stream.
enum TestMessage {
    /// 08, length u32 big-endian, bytes.
    static func make(_ payload: [UInt8]) -> [UInt8] {
        var message: [UInt8] = [8]
        message.append(bigEndian: UInt32(payload.count))
        return message + payload
    }

    static func make(_ number: Int, size: Int = 0) -> [UInt8] {
        var payload = Array("\(number):".utf8)
        payload += [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: max(0, size - payload.count - 5))
        return make(payload)
    }

    static let end: StreamFraming.Finder = { bytes in
        var reader = ByteReader(bytes)
        guard let type = try? reader.integer(UInt8.self) else { return .needsMore }
        guard type == 8 else { return .invalid }
        guard let length = try? reader.integer(UInt32.self) else { return .needsMore }
        return reader.remaining >= Int(length) ? .complete(5 + Int(length)) : .needsMore
    }
}
