import DequeModule
import Transport

/// What waits to be sent over one link besides the data of exchanges.
struct LinkOutbox {
    /// A frame that is to go out, and how many unicasts it holds.
    struct Frame {
        var bytes: [UInt8]
        var unicastCount = 0
        /// What it counts in the window of the link; 0 where it does not count.
        var cost = 0
    }

    /// Frames that steer exchanges and wait for the connection; a link with more is given up.
    static let maxWaitingControl = 8_192

    private var control = Deque<[UInt8]>()
    private var membership: UnicastQueue
    private var replication: UnicastQueue
    /// libzmq had no room for it.
    private var refused: Frame?

    init(tally: UnicastTally) {
        membership = UnicastQueue(.membership, tally: tally)
        replication = UnicastQueue(.replication, tally: tally)
    }

    var isEmpty: Bool { refused == nil && control.isEmpty && membership.isEmpty && replication.isEmpty }

    /// More answers wait than the other side can have asked for: it asks and does not read.
    var isOverwhelmed: Bool { control.count > Self.maxWaitingControl }

    mutating func append(_ message: LinkMessage) { control.append(message.encoded()) }

    /// Returns how many older ones had to go.
    mutating func append(unicast message: [UInt8], on channel: Channel) -> Int {
        switch channel {
        case .membership: membership.append(message)
        case .replication: replication.append(message)
        }
    }

    /// libzmq had no room for a frame: it is the next.
    mutating func putBack(_ frame: Frame) {
        refused = frame
        refused?.cost = 0
    }

    /// The frame that is next. Unicasts of replication wait for room in the window.
    mutating func nextFrame(in window: LinkWindow) -> Frame? {
        if let frame = refused {
            refused = nil
            return frame
        }
        if let bytes = control.popFirst() { return Frame(bytes: bytes) }
        if let (bytes, count, cost) = membership.nextFrame() {
            return Frame(bytes: bytes, unicastCount: count, cost: cost)
        }
        guard window.hasRoom(for: UnicastQueue.maxFrameBytes), let (bytes, count, cost) = replication.nextFrame()
        else { return nil }
        return Frame(bytes: bytes, unicastCount: count, cost: cost)
    }

    /// The connection is gone, and with it the unicasts that waited for it; returns how many.
    mutating func dropUnicasts() -> Int {
        let count = (refused?.unicastCount ?? 0) + membership.count + replication.count
        refused = nil
        membership.removeAll()
        replication.removeAll()
        return count
    }
}
