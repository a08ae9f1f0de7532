import Transport
import TransportKit

/// The messages that this node has moved, and those that have arrived in this turn. Confined to the owner thread.
final class Traffic {
    /// Unicasts of all links that this node makes.
    let unicasts = UnicastTally()
    private var broadcasts = PerChannel(repeating: TransportStats.Traffic())
    private var received = PerChannel(repeating: TransportStats.Traffic())
    /// What the port was told last.
    private var published = PerChannel(repeating: TransportStats.OfChannel())
    private var arrivals = PerChannel<[Arrival]>(repeating: [])

    /// A message has arrived.
    func append(_ message: [UInt8], from sender: PeerAddress, _ delivery: Arrival.Delivery, on channel: Channel) {
        arrivals[channel].append(Arrival(message: message, sender: sender, delivery: delivery))
    }

    /// Unicasts have arrived in one frame.
    func append(unicasts: [[UInt8]], from sender: PeerAddress, on channel: Channel) {
        arrivals[channel] += unicasts.lazy.map {
            Arrival(message: $0, sender: sender, delivery: .unicast)
        }
    }

    /// A broadcast goes out once, and counts for each peer that it is for.
    func noteBroadcast(_ message: [UInt8], on channel: Channel, to count: Int) {
        broadcasts[channel].messages += count
        broadcasts[channel].bytes += count * message.count
    }

    /// Gives what has arrived in this turn to whom waits for it.
    func handOverArrivals(to port: ZMQPort) {
        for channel in Channel.allCases where !arrivals[channel].isEmpty {
            for arrival in arrivals[channel] { received[channel].add(bytes: arrival.message.count) }
            port.inlets.deliver(arrivals[channel], on: channel)
            arrivals[channel] = []
        }
    }

    /// Tells the port what has changed.
    func publishStats(to port: ZMQPort) {
        for channel in Channel.allCases {
            var stats = TransportStats.OfChannel()
            stats.sent.messages = unicasts.sent[channel].messages + broadcasts[channel].messages
            stats.sent.bytes = unicasts.sent[channel].bytes + broadcasts[channel].bytes
            stats.received = received[channel]
            stats.sendQueue = unicasts.waiting[channel]
            guard stats != published[channel] else { continue }
            published[channel] = stats
            port.figures.publish(stats, on: channel)
        }
    }
}
