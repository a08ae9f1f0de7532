import Testing
import Transport
import TransportKit

@testable import TransportTCP

@Suite("Layouts of the TCP transport")
struct WireTests {
    private let peer = PeerAddress(host: .v4(0x7f00_0001), port: 7946)

    @Test("What is written is read as it was", arguments: [Channel.membership, .replication, nil])
    func roundTrip(channel: Channel?) {
        let opening = TCPWire.read(TCPWire.opening(channel, port: 7946))
        #expect(opening?.channel == channel && opening?.port == 7946)
        guard let channel else { return }
        for delivery in [Arrival.Delivery.unicast, .broadcast(reachedEveryone: true)] {
            let message = SendQueue.Message([1, 2, 3], on: channel, delivery: delivery)
            let read = TCPWire.arrival(TCPWire.frame(message), from: peer)
            #expect(read?.0 == Arrival(message: [1, 2, 3], sender: peer, delivery: delivery) && read?.1 == channel)
        }
    }

    @Test("What nobody writes is refused")
    func rubbish() {
        for opening: [UInt8] in [[], [0], [0, 1], [0, 0, 0], [3, 1, 1], [0, 1, 1, 1]] {
            #expect(TCPWire.read(opening) == nil)
        }
        for flags in UInt8(4)...255 { #expect(TCPWire.arrival([flags, 1], from: peer) == nil) }
        let largest = [UInt8](repeating: 0, count: 1 + TCPWire.maxMessageBytes)
        #expect(TCPWire.arrival([], from: peer) == nil && TCPWire.arrival(largest + [0], from: peer) == nil)
        #expect(TCPWire.arrival(largest, from: peer) != nil)
    }
}
