import Transport
import TransportKit

/// The broadcasts of this node, which the XPUB sends to all who are subscribed. Confined to the owner thread.
final class Publisher {
    /// Least time between two beats: many may subscribe at once.
    static let beatInterval: Duration = .milliseconds(20)
    /// Largest frame: the marks of libzmq count messages, so that bytes are bounded by both.
    static let maxFrameBytes = 64 * 1024

    /// Broadcasts of one channel that go out together.
    struct Batch {
        let channel: Channel
        fileprivate let audience: PeerTable.Audience
        fileprivate var packer: BroadcastPacker
    }

    private let shared: SharedParts
    private let publisher: BoundSocket
    private var heads = StreamHeads()
    private var isBeatWanted = false
    private var nextBeat = ContinuousClock.now

    init(_ shared: SharedParts, publisher: BoundSocket) {
        self.shared = shared
        self.publisher = publisher
    }

    /// Takes subscriptions from now on. Throws `failed`.
    func watch() throws(TransportError) {
        try publisher.watch { [unowned self] in receiveSubscriptions() }
    }

    /// The node ends. What libzmq has is given a moment to go out.
    func close() { publisher.close() }

    // MARK: Messages

    /// Begins a batch, for those who are peers now.
    func begin(on channel: Channel) -> Batch {
        let versions = shared.configuration.versions
        let audience = shared.peers.audience(of: channel, versions: versions)
        let packer = BroadcastPacker(
            channel: channel, version: audience.version, stream: shared.local.streamID,
            maxFrameBytes: Self.maxFrameBytes)
        return Batch(channel: channel, audience: audience, packer: packer)
    }

    /// Adds a message; what is full goes out.
    func add(_ message: [UInt8], _ options: BroadcastOptions, to batch: inout Batch) {
        let skipped = shared.peers.skipped(options.skipping, on: batch.channel)
        let listenerCount = max(0, batch.audience.listenerCount - skipped.listenerCount)
        shared.traffic.noteBroadcast(message, on: batch.channel, to: listenerCount)
        let frame = batch.packer.add(
            message, excluding: batch.audience.deafStreams + skipped.streams, sequence: &heads[batch.channel])
        if let frame { publish(frame) }
    }

    /// Sends the rest of a batch.
    func finish(_ batch: inout Batch) {
        if let frame = batch.packer.flush(sequence: &heads[batch.channel]) { publish(frame) }
    }

    private func publish(_ frame: [UInt8]) {
        // A subscriber whose queue is full loses it, and sees by the next number that it has.
        if publisher.socket.send(frame) != .sent { shared.events.dropped(.sendFailed) }
    }

    // MARK: Beats

    /// The XPUB tells of each subscription: a first byte 1, then the topic.
    private func receiveSubscriptions() {
        let socket = publisher.socket
        guard socket.events.isReadable else { return }
        for _ in 0..<ZMQLoop.turnLimit {
            let isBeat = socket.receive { frame in
                frame.bytes.count == 2 && frame.bytes[0] == 1 && frame.bytes[1] == BroadcastFrame.beatChannel
            }
            guard let isBeat else { break }
            if isBeat { isBeatWanted = true }
        }
    }

    /// When `advance` has something to do.
    var nextDeadline: ContinuousClock.Instant? { isBeatWanted ? nextBeat : nil }

    /// Tells subscribers where the streams stand. Who sees it is connected, and notices everything that it misses from
    /// here on.
    func advance(to now: ContinuousClock.Instant) {
        guard isBeatWanted, nextBeat <= now else { return }
        isBeatWanted = false
        nextBeat = .now + Self.beatInterval
        let version = shared.peers.version(of: shared.configuration.versions)
        publish(BroadcastFrame.beat(version: version, stream: shared.local.streamID, heads: heads))
    }
}
