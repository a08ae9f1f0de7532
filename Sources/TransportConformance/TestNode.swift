internal import Foundation
public import Testing
public import Transport
internal import TransportKit

/// A running node and what it has received so far.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
public final class TestNode: @unchecked Sendable {
    /// The node under test.
    public let transport: any Transport
    private let lock = NSLock()
    private var arrivals = PerChannel<[Arrival]>(repeating: [])
    private var collectedEvents: [TransportEvent] = []

    /// One node, which runs or will.
    public init(_ transport: any Transport) { self.transport = transport }

    /// Where it is bound.
    public var address: PeerAddress { transport.boundAddress }

    /// Everything that came on `channel` until now.
    public func received(on channel: Channel) -> [Arrival] {
        lock.withLock {
            arrivals[channel] += transport.arrivals(on: channel).takeNow()
            return arrivals[channel]
        }
    }

    /// The bytes of what came on `channel` until now.
    public func messages(on channel: Channel) -> [[UInt8]] { received(on: channel).map(\.message) }

    /// Every event until now.
    public var events: [TransportEvent] {
        lock.withLock {
            collectedEvents += transport.events.takeNow()
            return collectedEvents
        }
    }

    /// Drops of that cause that were reported until now.
    public func dropped(_ cause: DropCause) -> Int {
        events.reduce(0) { sum, event in
            if case .dropped(cause, let count) = event { sum + count } else { sum }
        }
    }

    /// Who gets what this node broadcasts, where the plugin says so.
    public var connected: Set<PeerAddress> {
        events.reduce(into: []) { addresses, event in
            switch event {
            case .connected(let address): addresses.insert(address)
            case .disconnected(let address): addresses.remove(address)
            case .refused, .dropped: break
            }
        }
    }

    /// Who was said to be turned away for that reason.
    public func refusals(_ refusal: Refusal) -> [PeerAddress] {
        events.compactMap { event in
            if case .refused(refusal, let address) = event { address } else { nil }
        }
    }

    /// What it has moved.
    public var stats: TransportStats { transport.stats }

    /// The next exchange that a peer opens.
    public func accept(on channel: Channel) async throws -> any Exchange {
        let queue = transport.exchanges(on: channel)
        let exchange = try await within(.seconds(5)) { await queue.next(limit: 1)?.first }
        return try #require(exchange ?? nil, "no exchange within 5 s")
    }

    /// An exchange with one message through it, so that clear membership streams are seen by the acceptor.
    public func open(_ channel: Channel, to acceptor: TestNode) async throws -> (
        ours: any Exchange, theirs: any Exchange
    ) {
        let ours = try await transport.exchange(on: channel, with: acceptor.address)
        try await ours.send(TestMessage.make(0))
        let theirs = try await acceptor.accept(on: channel)
        #expect(try await theirs.receive() == TestMessage.make(0))
        return (ours, theirs)
    }

    /// Has it know all of `others` but itself.
    public func setPeers(_ others: [TestNode]) {
        transport.setPeers(others.filter { $0 !== self }.map { Peer(address: $0.address) })
    }
}

struct NotInTime: Error {}

/// What `body` gives, or `nil` when it takes longer; it is cancelled then.
func within<Value: Sendable>(
    _ time: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try? await Task.sleep(for: time)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}

/// Waits until `condition` holds, at most `time`.
public func eventually(
    _ what: Comment, within time: Duration = .seconds(30), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) async {
    let deadline = ContinuousClock.now + time
    while !condition() {
        if ContinuousClock.now > deadline {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try? await Task.sleep(for: .milliseconds(2))
    }
}

/// Runs `body` with nodes that run, each knowing all others, and stops them. `isSettled`: `body` begins when each
/// reaches all others.
public func withNodes(
    _ fixture: any TransportFixture, _ options: [NodeOptions], isSettled: Bool = true,
    _ body: ([TestNode]) async throws -> Void
) async throws {
    var nodes: [TestNode] = []
    for option in options { nodes.append(TestNode(try fixture.makeNode(option))) }
    for node in nodes { node.setPeers(nodes) }
    try await withThrowingTaskGroup(of: Void.self) { group in
        for node in nodes { group.addTask { try await node.transport.run() } }
        defer { group.cancelAll() }
        if isSettled { await fixture.settle(nodes) }
        try await body(nodes)
    }
}

/// The same with `count` nodes that are alike.
public func withNodes(
    _ setting: Setting, _ count: Int, _ body: ([TestNode]) async throws -> Void
) async throws {
    let options = [NodeOptions](repeating: NodeOptions(key: setting.key), count: count)
    try await withNodes(setting.plugin.fixture(), options, body)
}

/// Why an exchange of one question and one answer with `peer` does not work; `nil` when it does. A plugin may find out
/// when it dials, or, where the wire has no handshake, with the first answer.
public func exchangeError(
    _ node: TestNode, with peer: PeerAddress, on channel: Channel
) async -> ExchangeError? {
    do throws(ExchangeError) {
        let exchange = try await node.transport.exchange(on: channel, with: peer)
        try await exchange.send(TestMessage.make(1))
        _ = try await exchange.receive()
        return nil
    } catch {
        return error
    }
}
