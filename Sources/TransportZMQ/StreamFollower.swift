package import Transport
import TransportKit

/// Follows the broadcasts of one publisher and counts the frames that were lost: an XPUB drops what a slow subscriber
/// does not take, and nobody is told.
///
/// A channel is followed from the first frame or beat that tells where it stands; what came before is not missed. A new
/// stream id, a new start of the publisher, begins anew.
package struct StreamFollower: Hashable, Sendable {
    /// Most lost frames that one step of one channel counts. A larger jump is nothing that a publisher does.
    static let maxLostPerStep = 1 << 20

    /// The stream that is followed; `nil` before the first frame or beat.
    private(set) var stream: UInt64?
    /// `nil` where nothing has told yet.
    private var last = PerChannel<UInt64?>(repeating: nil)

    /// Follows nobody yet.
    package init() {}

    /// A frame has arrived. Returns how many before it were lost; 0 also for an older one and for a repeated one, which
    /// change nothing.
    package mutating func note(frame sequence: UInt64, channel: Channel, stream: UInt64) -> Int {
        follow(stream)
        return advance(channel, to: sequence, arrivedCount: 1)
    }

    /// A beat has arrived. Returns how many frames of both channels it shows to be lost.
    mutating func noteBeat(stream: UInt64, heads: StreamHeads) -> Int {
        follow(stream)
        return Channel.allCases.reduce(0) { $0 + advance($1, to: heads[$1], arrivedCount: 0) }
    }

    private mutating func follow(_ stream: UInt64) {
        guard self.stream != stream else { return }
        self.stream = stream
        last = PerChannel(repeating: nil)
    }

    /// Moves on to `sequence`, unless that is not ahead. Returns how many frames on the way have not arrived;
    /// `arrivedCount` is 1 where the last of them has.
    private mutating func advance(_ channel: Channel, to sequence: UInt64, arrivedCount: UInt64) -> Int {
        guard let known = last[channel] else {
            last[channel] = sequence
            return 0
        }
        guard sequence > known else { return 0 }
        last[channel] = sequence
        return min(Int(clamping: sequence - known - arrivedCount), Self.maxLostPerStep)
    }
}
