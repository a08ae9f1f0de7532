internal import Logging
internal import Replication
internal import Transport

/// Sends changes that are too large to be broadcast, by exchange: one at a time to each peer, all that wait for it over
/// one connection.
///
/// What cannot be delivered is dropped: the peer's root differs then, and a walk brings it.
actor PushSender {
    /// Bytes that wait for one peer. Beyond it a walk is the better way.
    private static let maxWaitingBytes = 4 * 1024 * 1024

    private let transport: any Transport
    private let logger: Logger
    private let requests = BatchQueue<(message: [UInt8], peers: [PeerAddress])>(
        maxBytes: 16 * 1024 * 1024, maxCount: 16_384, size: { $0.message.count })
    /// Bytes of messages that went out, and of their answers, since the start.
    private(set) var traffic = (sent: 0, received: 0)
    private var waiting: [PeerAddress: (messages: [[UInt8]], bytes: Int)] = [:]

    init(transport: any Transport, logger: Logger) {
        self.transport = transport
        self.logger = logger
    }

    nonisolated func add(_ message: [UInt8], to peers: [PeerAddress]) { requests.append([(message, peers)]) }

    /// Runs until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            while let batch = await requests.next() {
                for request in batch {
                    for peer in request.peers where enqueue(request.message, for: peer) {
                        group.addTask { await self.drain(peer) }
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// `true` when nobody is sending to this peer yet.
    private func enqueue(_ message: [UInt8], for peer: PeerAddress) -> Bool {
        let isIdle = waiting[peer] == nil
        var queue = waiting[peer] ?? ([], 0)
        if queue.bytes + message.count <= Self.maxWaitingBytes {
            queue.messages.append(message)
            queue.bytes += message.count
        }
        waiting[peer] = queue
        return isIdle
    }

    private func drain(_ peer: PeerAddress) async {
        do throws(ExchangeError) {
            let exchange = try await transport.exchange(on: .replication, with: peer)
            defer { exchange.close() }
            while let queue = waiting[peer], !queue.messages.isEmpty {
                waiting[peer] = ([], 0)
                for message in queue.messages {
                    try await exchange.send(message)
                    traffic.sent += message.count
                    // The answer says that it is stored there.
                    guard let answer = try await exchange.receive() else { throw .closed }
                    traffic.received += answer.count
                }
            }
        } catch {
            logger.log(.debug, "Could not push changes", [.peerAddress: peer, .reason: "\(error)"])
        }
        waiting[peer] = nil
    }
}
