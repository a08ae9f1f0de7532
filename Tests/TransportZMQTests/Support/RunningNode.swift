import Foundation
import Keys
import Testing
import Transport

@testable import TransportZMQ

/// A running node and what it has received so far: numbers, so that memory stays flat. It stops when the last reference
/// goes.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class RunningNode: @unchecked Sendable {
    /// One message that was made by `numbered`.
    struct Received: Hashable {
        var number: Int
        var sender: PeerAddress
    }

    static let keyBytes = [UInt8](1...32)

    let transport: ZMQTransport
    private let running: Task<Void, any Error>
    private let lock = NSLock()
    private var arrivals: [[Received]] = [[], []]
    private var collectedEvents: [TransportEvent] = []

    init(_ configure: (inout ZMQTransportConfiguration) throws -> Void = { _ in }) throws {
        var configuration = ZMQTransportConfiguration()
        try configure(&configuration)
        let transport = try ZMQTransport.bind(configuration)
        self.transport = transport
        running = Task { try await transport.run() }
    }

    deinit { running.cancel() }

    /// Returns when its thread is gone.
    func stop() async throws {
        running.cancel()
        try await running.value
    }

    var address: PeerAddress { transport.boundAddress }

    func setPeers(_ addresses: [PeerAddress]) { transport.setPeers(addresses.map { Peer(address: $0) }) }

    func broadcast(_ number: Int, bytes: Int = 16, on channel: Channel = .replication) {
        transport.broadcast(numbered(number, bytes: bytes), on: channel, options: BroadcastOptions())
    }

    /// Everything that came on `channel` until now.
    func received(on channel: Channel = .replication) -> [Received] {
        lock.withLock {
            arrivals[Int(channel.rawValue)] += transport.arrivals(on: channel).takeNow().map {
                Received(number: number(of: $0.message), sender: $0.sender)
            }
            return arrivals[Int(channel.rawValue)]
        }
    }

    func numbers(on channel: Channel = .replication) -> [Int] { received(on: channel).map(\.number) }

    /// Every event until now.
    var events: [TransportEvent] {
        lock.withLock {
            collectedEvents += transport.events.takeNow()
            return collectedEvents
        }
    }

    /// Begins anew with what is kept here.
    func forget() {
        _ = events
        for channel in Channel.allCases { _ = received(on: channel) }
        lock.withLock { (arrivals, collectedEvents) = ([[], []], []) }
    }

    func count(_ event: TransportEvent) -> Int { events.count { $0 == event } }

    func refusals(_ refusal: Refusal) -> [PeerAddress] {
        events.compactMap { event in
            if case .refused(refusal, let address) = event { address } else { nil }
        }
    }

    func dropped(_ cause: DropCause) -> Int {
        events.reduce(0) { sum, event in
            if case .dropped(cause, let count) = event { sum + count } else { sum }
        }
    }

    /// Waits until the thread has taken what was handed over before: what is handed over from here on is in another frame.
    /// A list of peers is taken no later than a message that was handed over after it.
    func flush() async {
        await eventually("the thread takes what was handed over") {
            Channel.allCases.allSatisfy { transport.stats[$0].sendQueue.messages == 0 }
        }
    }

    /// The next exchange that a peer opens.
    func accept(on channel: Channel = .replication) async throws -> any Exchange {
        var exchange: (any Exchange)?
        await eventually("an exchange is opened", within: .seconds(5)) {
            exchange = transport.exchanges(on: channel).takeNow(limit: 1).first
            return exchange != nil
        }
        return try #require(exchange)
    }
}

/// Eight bytes of number and as many more as it takes.
func numbered(_ number: Int, bytes: Int = 16) -> [UInt8] {
    var message: [UInt8] = []
    message.append(bigEndian: UInt64(number))
    return message + [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: max(0, bytes - 8))
}

func number(of message: [UInt8]) -> Int {
    message.count < 8 ? -1 : Int(truncatingIfNeeded: message.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) })
}

/// Waits until `condition` holds, at most `time`; then whether it does.
@discardableResult
func eventually(
    _ what: Comment, within time: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async -> Bool
) async -> Bool {
    let deadline = ContinuousClock.now + time
    while await !condition() {
        if ContinuousClock.now > deadline {
            Issue.record("not in time: \(what.rawValue)", sourceLocation: sourceLocation)
            return false
        }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

/// Two nodes that know each other, once what each broadcasts reaches the other.
func settledPair(_ configure: (inout ZMQTransportConfiguration) throws -> Void = { _ in }) async throws -> [RunningNode]
{
    let nodes = [try RunningNode(configure), try RunningNode(configure)]
    await settle(nodes)
    return nodes
}

/// Each knows all others, and what each broadcasts reaches them.
func settle(_ nodes: [RunningNode], sourceLocation: SourceLocation = #_sourceLocation) async {
    for node in nodes { node.setPeers(nodes.map(\.address).filter { $0 != node.address }) }
    for node in nodes {
        await eventually("all are connected", sourceLocation: sourceLocation) {
            nodes.allSatisfy { $0 === node || node.count(.connected($0.address)) > 0 }
        }
    }
}

/// Opens an exchange and sends one message through it.
func openExchange(
    from dialler: RunningNode, to acceptor: RunningNode, at address: PeerAddress? = nil,
    on channel: Channel = .replication
) async throws -> (ours: any Exchange, theirs: any Exchange) {
    let ours = try await dialler.transport.exchange(on: channel, with: address ?? acceptor.address)
    try await ours.send(numbered(1))
    let theirs = try await acceptor.accept(on: channel)
    #expect(try await theirs.receive() == numbered(1))
    return (ours, theirs)
}

/// Why an exchange cannot be opened; `nil` when it can.
func exchangeError(
    _ node: RunningNode, with peer: PeerAddress, on channel: Channel = .replication
) async -> ExchangeError? {
    do throws(ExchangeError) {
        _ = try await node.transport.exchange(on: channel, with: peer)
        return nil
    } catch {
        return error
    }
}

/// What `receive` ends with: `nil` for the end that the other side has told.
func ending(of exchange: any Exchange) async -> ExchangeError? {
    do throws(ExchangeError) {
        while try await exchange.receive() != nil {}
        return nil
    } catch {
        return error
    }
}

/// Passes when a broadcast and an exchange work both ways.
func expectWorking(
    _ first: RunningNode, _ second: RunningNode, at secondAddress: PeerAddress? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let marker = Int.random(in: 1 << 40..<1 << 41)
    first.broadcast(marker)
    second.broadcast(marker)
    await eventually("broadcasts arrive", sourceLocation: sourceLocation) {
        first.numbers().contains(marker) && second.numbers().contains(marker)
    }
    let (ours, theirs) = try await openExchange(from: first, to: second, at: secondAddress)
    try await theirs.send(numbered(2))
    #expect(try await ours.receive() == numbered(2), sourceLocation: sourceLocation)
}
