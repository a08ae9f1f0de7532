import CSockets
import Foundation
import Testing
import Transport
import TransportZMQ

/// Passes TCP connections on, on a thread of its own, and can hold, swallow and cut them.
///
/// `@unchecked Sendable`: the mode and counts are touched under `lock`, all else by the thread only.
final class Proxy: @unchecked Sendable {
    enum Mode {
        case pass
        /// Nothing is read: whoever sends fills the buffers of the system, and nothing is lost.
        case hold
        /// Everything is read and goes nowhere; the connections stay open. What comes after has holes, so that they
        /// are cut by the next `pass`.
        case swallow
    }

    private struct Connection {
        var ends: [CInt]
        /// What was read of one end and waits for the other.
        var waiting: [[UInt8]] = [[], []]
        var hasHoles = false
    }

    let address: PeerAddress
    private let target: PeerAddress
    private let source: PeerAddress
    private let listener: CInt
    private let lock = NSLock()
    private var currentMode = Mode.pass
    private var isCutting = false
    private var isStopping = false
    private var connections: [Connection] = []

    /// Listens at `address`, connects to `target` from the host of `source`.
    init(at address: PeerAddress, to target: PeerAddress, from source: PeerAddress) throws {
        var port: UInt16 = 0
        listener = cs_listen_stream(address.hostBytes, 4, address.port, 32_768, &port)
        guard listener >= 0 else { throw TransportError.addressInUse(address) }
        self.address = address
        self.target = target
        self.source = source.with(port: 0)
        // The thread keeps it alive: whoever made it calls `stop`.
        Thread.detachNewThread { [self] in run() }
    }

    func stop() { lock.withLock { isStopping = true } }

    var mode: Mode {
        get { lock.withLock { currentMode } }
        set { lock.withLock { currentMode = newValue } }
    }

    /// Ends all connections that are there now.
    func cut() { lock.withLock { isCutting = true } }

    private func run() {
        while true {
            let (mode, mustCut, mustStop) = lock.withLock {
                defer { isCutting = false }
                return (currentMode, isCutting, isStopping)
            }
            if mustCut || mustStop { closeConnections { _ in true } }
            if mustStop { break }
            if mode == .pass { closeConnections { $0.hasHoles } }
            var polled = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for connection in connections {
                for side in 0..<2 {
                    var events: Int16 = 0
                    if mode != .hold, connection.waiting[side].isEmpty { events |= Int16(POLLIN) }
                    if mode == .pass, !connection.waiting[1 - side].isEmpty { events |= Int16(POLLOUT) }
                    polled.append(pollfd(fd: events == 0 ? -1 : connection.ends[side], events: events, revents: 0))
                }
            }
            poll(&polled, nfds_t(polled.count), 5)
            let known = connections.count
            if polled[0].revents != 0 { accept() }
            for index in (0..<known).reversed() {
                let isActive = polled[1 + 2 * index].revents != 0 || polled[2 + 2 * index].revents != 0
                if isActive, !move(&connections[index], mode) { close(at: index) }
            }
        }
        Glibc.close(listener)
    }

    private func accept() {
        let near = Glibc.accept(listener, nil, nil)
        guard near >= 0 else { return }
        _ = fcntl(near, F_SETFL, O_NONBLOCK)
        let far = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard Self.with(source, { bind(far, $0, $1) }) == 0, Self.with(target, { connect(far, $0, $1) }) == 0 else {
            Glibc.close(near)
            Glibc.close(far)
            return
        }
        _ = fcntl(far, F_SETFL, O_NONBLOCK)
        connections.append(Connection(ends: [near, far]))
    }

    /// `false` when the connection is over.
    private func move(_ connection: inout Connection, _ mode: Mode) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        for side in 0..<2 where mode != .hold && connection.waiting[side].isEmpty {
            let count = recv(connection.ends[side], &buffer, buffer.count, 0)
            if count == 0 || count < 0 && errno != EAGAIN { return false }
            guard count > 0 else { continue }
            if mode == .swallow {
                connection.hasHoles = true
            } else {
                connection.waiting[side] = [UInt8](buffer[..<count])
            }
        }
        for side in 0..<2 where mode == .pass && !connection.waiting[side].isEmpty {
            let bytes = connection.waiting[side]
            let count = send(connection.ends[1 - side], bytes, bytes.count, CInt(MSG_NOSIGNAL))
            if count < 0 && errno != EAGAIN { return false }
            if count > 0 { connection.waiting[side].removeFirst(count) }
        }
        return true
    }

    private func closeConnections(where isMeant: (Connection) -> Bool) {
        for index in connections.indices.reversed() where isMeant(connections[index]) { close(at: index) }
    }

    private func close(at index: Int) {
        for end in connections[index].ends { Glibc.close(end) }
        connections.remove(at: index)
    }

    private static func with(_ address: PeerAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        guard case .v4(let host) = address.host else { return -1 }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = address.port.bigEndian
        target.sin_addr.s_addr = host.bigEndian
        return withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Two nodes that reach each other through proxies only, at addresses that stand for them: each node is bound to one
/// address of 127.0.0.0/8, its proxies listen on the same ports of another.
final class ProxiedPair: Sendable {
    let nodes: [RunningNode]
    /// Where each is reached by the other, and how the other knows it.
    let addresses: [PeerAddress]
    /// In front of each node's ROUTER, and of its XPUB.
    let links: [Proxy]
    let publishers: [Proxy]

    /// A port that is free at one address may be taken at the other: then others are tried.
    static func make() throws -> ProxiedPair {
        for _ in 0..<4 {
            if let pair = try? ProxiedPair() { return pair }
        }
        return try ProxiedPair()
    }

    private init() throws {
        func host(_ last: UInt32) -> PeerAddress { PeerAddress(host: .v4(0x7f00_0000 + last), port: 0) }
        let (own, shown) = ([host(11), host(12)], [host(21), host(22)])
        let nodes = try own.map { address in
            try RunningNode {
                $0.bindAddress = address
                // What is counted as lost here is lost on the way.
                $0.maxMembershipArrivalBytes = 64 << 20
                $0.maxReplicationArrivalBytes = 64 << 20
            }
        }
        self.nodes = nodes
        let addresses = [0, 1].map { shown[$0].with(port: nodes[$0].address.port) }
        self.addresses = addresses
        var made: [Proxy] = []
        do {
            for index in 0..<2 {
                let (node, source) = (nodes[index], shown[1 - index])
                made.append(try Proxy(at: addresses[index], to: node.address, from: source))
                let published = node.transport.publishAddress
                made.append(try Proxy(at: shown[index].with(port: published.port), to: published, from: source))
            }
        } catch {
            for proxy in made { proxy.stop() }
            throw error
        }
        links = [made[0], made[2]]
        publishers = [made[1], made[3]]
    }

    deinit { for proxy in links + publishers { proxy.stop() } }

    func settle() async {
        for index in 0..<2 { nodes[index].setPeers([addresses[1 - index]]) }
        await eventually("both are connected") { [0, 1].allSatisfy { connections(of: $0) > 0 } }
    }

    /// How often a node has reported that the other gets its broadcasts.
    func connections(of index: Int) -> Int { nodes[index].count(.connected(addresses[1 - index])) }

    func disconnections(of index: Int) -> Int { nodes[index].count(.disconnected(addresses[1 - index])) }

    /// An exchange that the first has opened.
    func openExchange() async throws -> (ours: any Exchange, theirs: any Exchange) {
        try await TransportZMQTests.openExchange(from: nodes[0], to: nodes[1], at: addresses[1])
    }
}
