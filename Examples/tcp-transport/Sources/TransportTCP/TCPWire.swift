import Transport
import TransportKit

/// What passes over a connection.
///
///     opening            wanted u8: 0 and 1 an exchange on that channel, 2 messages; listening port of the dialler u16
///     frame of messages  flags u8: bit 0 the channel, bit 1 set in a broadcast to every peer; then the message
///     frame of exchange  the message
///
/// Handshake, length of frames and seal are those of `StreamSession`. Messages pass from the dialler to the acceptor only.
enum TCPWire {
    static let maxMessageBytes = 64 * 1024
    static let streams = StreamProtocol(name: "TCP", openingBytes: 3, maxMessageBytes: 1 << 20) { read($0) != nil }

    /// `channel`: that of the exchange, or `nil` for messages.
    static func opening(_ channel: Channel?, port: UInt16) -> [UInt8] {
        [channel?.rawValue ?? 2, UInt8(port >> 8), UInt8(port & 255)]
    }

    static func read(_ opening: [UInt8]) -> (channel: Channel?, port: UInt16)? {
        guard opening.count == 3, opening[0] <= 2, opening[1] | opening[2] != 0 else { return nil }
        return (Channel(rawValue: opening[0]), UInt16(opening[1]) << 8 | UInt16(opening[2]))
    }

    static func frame(_ message: SendQueue.Message) -> [UInt8] {
        [message.channel.rawValue | (message.delivery == .unicast ? 0 : 2)] + message.bytes
    }

    /// `nil` for what `frame` does not make.
    static func arrival(_ frame: [UInt8], from sender: PeerAddress) -> (Arrival, Channel)? {
        guard let flags = frame.first, let channel = Channel(rawValue: flags & 1), flags < 4,
            frame.count <= 1 + maxMessageBytes
        else { return nil }
        let delivery: Arrival.Delivery = flags & 2 == 0 ? .unicast : .broadcast(reachedEveryone: true)
        return (Arrival(message: Array(frame.dropFirst()), sender: sender, delivery: delivery), channel)
    }
}
