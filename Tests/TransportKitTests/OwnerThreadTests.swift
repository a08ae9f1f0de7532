import Testing
import Transport
import TransportKit

@Suite("Threads, wake-ups and sockets")
struct OwnerThreadTests {
    @Test("A thread that waits is woken once for many signals, and again by a later one")
    func wakeup() async throws {
        let (wakeup, poller) = (try Wakeup(), try Poller())
        try poller.add(wakeup.descriptor, tag: 7)
        for _ in 0..<100 { wakeup.signal() }
        #expect(try poller.wait(until: nil).map(\.tag) == [7])
        wakeup.take()
        #expect(try poller.wait(until: .now).isEmpty)
        wakeup.signal()
        #expect(try poller.wait(until: .now + .seconds(5)).map(\.isReadable) == [true])
        poller.remove(wakeup.descriptor)
        wakeup.close()
        wakeup.signal()
    }

    @Test("A thread gives its result when it is gone")
    func thread() async throws {
        let number = try await OwnerThread.run { 42 }
        #expect(number == 42)
    }

    @Test("Bytes pass between a connection and the accepted one, then the end; nobody listens afterwards")
    func sockets() async throws {
        let loopback = PeerAddress(host: .v4(0x7f00_0001), port: 0)
        let (listener, address) = try StreamSocket.listen(on: loopback)
        #expect(throws: TransportError.addressInUse(address)) { _ = try StreamSocket.listen(on: address) }
        let ours = try StreamSocket.connect(to: address, from: loopback)
        let poller = try Poller()
        try poller.add(listener.descriptor, tag: 1)
        _ = try poller.wait(until: .now + .seconds(5))
        guard case .connection(let theirs, let peer) = listener.accept() else {
            Issue.record("nobody waits")
            return
        }
        #expect(peer.host == address.host && ours.connectError() == nil && ours.peerAddress == address)
        guard case .none = listener.accept() else {
            Issue.record("a second one waits")
            return
        }
        #expect(ours.write([1, 2, 3]) == .moved(3))
        ours.endWriting()
        try poller.add(theirs.descriptor, tag: 2)
        _ = try poller.wait(until: .now + .seconds(5))
        var bytes: [UInt8] = []
        #expect(theirs.read(into: &bytes) == .moved(3) && bytes == [1, 2, 3])
        #expect(theirs.read(into: &bytes) == .ended)
        listener.close()
        let late = Result { try StreamSocket.connect(to: address) }
        if case .success(let late) = late {
            try poller.add(late.descriptor, tag: 3, wantsWrite: true)
            _ = try poller.wait(until: .now + .seconds(5))
            #expect(late.connectError() == .refused)
        }
    }
}
