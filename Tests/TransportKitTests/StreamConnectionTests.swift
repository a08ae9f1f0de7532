import Keys
import Synchronization
import Testing
import Transport
import TransportKit

@Suite("Connections of a stream plugin", .timeLimit(.minutes(1)))
struct StreamConnectionTests {
    /// One thread that owns a listener, what it accepts, and what was dialled: a plugin in small.
    ///
    /// `@unchecked Sendable`: `orders` has its own lock, all else is the thread's.
    private final class Owner: ExchangePipeOwner, @unchecked Sendable {
        enum Order: Sendable { case dial(ExchangePipe), signal(ExchangePipe.Signal, ExchangePipe), stop }

        static let wire = StreamProtocol(
            name: "Test", openingBytes: 1, maxMessageBytes: 1 << 20, isKnownOpening: { $0[0] < 2 })

        let address: PeerAddress
        let accepted = BatchQueue<any Exchange>(maxCount: 100)
        let failures = BatchQueue<ExchangeError>(maxCount: 100)
        private let listener: StreamSocket
        private let key: Subkey?
        private let wakeup: Wakeup
        private let orders = BatchQueue<Order>(maxCount: 1 << 20)
        private let limits: StreamConnection.Limits

        init(key: [UInt8]?, limits: StreamConnection.Limits = .init()) throws {
            (listener, address) = try StreamSocket.listen(on: PeerAddress(host: .v4(0x7f00_0001), port: 0))
            self.key = try key.map { try ClusterKey($0).subkey(for: .init("testtest")) }
            wakeup = try Wakeup()
            self.limits = limits
        }

        func run() throws {
            try OwnerThread.start { [self] in try? loop() }.detach()
        }

        func add(_ order: Order) {
            orders.append([order])
            wakeup.signal()
        }

        func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) { add(.signal(signal, pipe)) }

        func dial() async throws(ExchangeError) -> any Exchange {
            let pipe = ExchangePipe(maxMessageBytes: 1 << 20, owner: self)
            add(.dial(pipe))
            try await pipe.waitUntilOpen()
            return PipeExchange(peer: address, pipe: pipe)
        }

        private func loop() throws {
            let poller = try Poller()
            try poller.add(wakeup.descriptor, tag: 0)
            try poller.add(listener.descriptor, tag: 1)
            var connections: [UInt64: StreamConnection] = [:]
            var timers = Timers<UInt64>()
            var lastTag: UInt64 = 1

            func note(_ events: [StreamConnection.Event], of connection: StreamConnection) {
                for event in events {
                    switch event {
                    case .established:
                        // The pipes of those that were dialled are with their diallers.
                        guard connection.peer != address, let pipe = connection.carriedPipe else { break }
                        accepted.append([PipeExchange(peer: connection.peer, pipe: pipe)])
                    case .message: break
                    case .failed(let error, _): failures.append([error])
                    case .gone: connections[connection.tag] = nil
                    }
                }
                if let deadline = connection.deadline {
                    timers.set(connection.tag, at: deadline)
                } else {
                    timers.cancel(connection.tag)
                }
            }

            while true {
                let ready = try poller.wait(until: timers.earliest())
                wakeup.take()
                for order in orders.takeNow() {
                    switch order {
                    case .stop:
                        for connection in connections.values { _ = connection.abort() }
                        return
                    case .signal(let signal, let pipe):
                        for connection in connections.values where connection.carriedPipe === pipe {
                            note(connection.hear(signal), of: connection)
                        }
                    case .dial(let pipe):
                        lastTag += 1
                        do throws(ExchangeError) {
                            let socket = try StreamSocket.connect(to: address)
                            let session = StreamSession(role: .dialler(opening: [1]), protocol: Self.wire, key: key)
                            let connection = try? StreamConnection(
                                socket, peer: address, session: session, isConnecting: true, pipe: pipe, limits: limits,
                                poller: poller, tag: lastTag)
                            connections[lastTag] = connection
                            if let connection { note([], of: connection) }
                        } catch {
                            pipe.fail(error)
                        }
                    }
                }
                for ready in ready where ready.tag == 1 {
                    while let (socket, peer) = listener.accept() {
                        lastTag += 1
                        let connection = try StreamConnection(
                            socket, peer: peer, session: StreamSession(role: .acceptor, protocol: Self.wire, key: key),
                            isConnecting: false, limits: limits, poller: poller, tag: lastTag,
                            accept: { _ in ExchangePipe(maxMessageBytes: 1 << 20, owner: self) })
                        connections[lastTag] = connection
                        note([], of: connection)
                    }
                }
                for ready in ready {
                    if let connection = connections[ready.tag] { note(connection.handle(ready), of: connection) }
                }
                while let tag = timers.popDue(at: .now) {
                    if let connection = connections[tag] { note(connection.expire(at: .now), of: connection) }
                }
            }
        }
    }

    private func message(_ number: Int, bytes: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes)
    }

    @Test("Messages pass both ways in bounded memory, then the end", arguments: [nil, [UInt8](1...32)])
    func passing(key: [UInt8]?) async throws {
        let owner = try Owner(key: key)
        try owner.run()
        defer { owner.add(.stop) }
        let ours = try await owner.dial()
        let theirs = try #require(await owner.accepted.next()?.first)
        let sent = Atomic(0)
        async let sending: Void = {
            for number in 0..<300 {
                try await ours.send(message(number, bytes: number % 3 == 0 ? 300_000 : number))
                sent.add(1, ordering: .relaxed)
            }
            ours.close()
        }()
        async let answering: Void = {
            for number in 0..<300 { try await theirs.send(message(number, bytes: 10)) }
        }()
        for number in 0..<300 { #expect(try await ours.receive() == message(number, bytes: 10)) }
        // A window here, one there, and what the system holds: the sender is far from its end.
        #expect(sent.load(ordering: .relaxed) < 200)
        for number in 0..<300 {
            let isSame = try await theirs.receive() == message(number, bytes: number % 3 == 0 ? 300_000 : number)
            #expect(isSame, "\(number)")
        }
        #expect(try await theirs.receive() == nil)
        try await sending
        try await answering
    }

    @Test("Dropping the handle, and closing with something unread, let everything out")
    func closing() async throws {
        let owner = try Owner(key: [UInt8](1...32))
        try owner.run()
        defer { owner.add(.stop) }
        var ours: (any Exchange)? = try await owner.dial()
        let theirs = try #require(await owner.accepted.next()?.first)
        for number in 0..<100 { try await theirs.send(message(number, bytes: 100)) }
        for number in 0..<100 { try await ours?.send(message(number, bytes: 1_000)) }
        ours = nil
        for number in 0..<100 { #expect(try await theirs.receive() == message(number, bytes: 1_000)) }
        #expect(try await theirs.receive() == nil)
        await #expect(throws: ExchangeError.closed) { try await theirs.send([1]) }
    }

    @Test("Who stands still in the handshake is cut off")
    func standingStill() async throws {
        let owner = try Owner(key: nil, limits: .init(handshake: .milliseconds(100)))
        try owner.run()
        defer { owner.add(.stop) }
        let silent = try StreamSocket.connect(to: owner.address)
        #expect(await owner.failures.next() == [.noAnswer])
        silent.close()
    }

    @Test("An exchange on which nothing moves is closed")
    func idle() async throws {
        let owner = try Owner(key: nil, limits: .init(handshake: .seconds(50), idle: .milliseconds(200)))
        try owner.run()
        defer { owner.add(.stop) }
        let start = ContinuousClock.now
        // On a busy machine the time may be over before the dial is.
        await #expect(throws: ExchangeError.closed) { _ = try await owner.dial().receive() }
        #expect(.now - start >= .milliseconds(200))
    }

    @Test("A cancelled dial leaves nothing")
    func cancelled() async throws {
        let owner = try Owner(key: nil)
        let dial = Task { try await owner.dial() }
        dial.cancel()
        await #expect(throws: ExchangeError.closed) { _ = try await dial.value }
        try owner.run()
        defer { owner.add(.stop) }
        _ = try await owner.dial()
    }
}
