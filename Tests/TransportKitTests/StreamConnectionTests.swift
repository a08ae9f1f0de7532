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
        enum Order: Sendable {
            case dial(ExchangePipe, PeerAddress), signal(ExchangePipe.Signal, ExchangePipe), stop
            /// Over a connection without an exchange.
            case talk([[UInt8]])
        }
        enum Side { case accepted, dialled, talker([[UInt8]]) }

        static let wire = StreamProtocol(
            name: "Test", openingBytes: 1, maxMessageBytes: 1 << 20, isKnownOpening: { $0[0] < 2 })

        let address: PeerAddress
        let accepted = BatchQueue<any Exchange>(maxCount: 100)
        let failures = BatchQueue<ExchangeError>(maxCount: 100)
        let heard = BatchQueue<[UInt8]>(maxCount: 100)
        let ends = BatchQueue<UInt64>(maxCount: 100)
        let events = EventSink()
        private let listener: StreamSocket
        private let key: Subkey?
        private let wakeup: Wakeup
        private let orders = BatchQueue<Order>(maxCount: 1 << 20)
        private let limits: StreamConnection.Limits
        private let maxAccepted: Int

        init(key: [UInt8]?, limits: StreamConnection.Limits = .init(), maxAccepted: Int = 100) throws {
            (listener, address) = try StreamSocket.listen(on: PeerAddress(host: .v4(0x7f00_0001), port: 0))
            self.key = try key.map { try ClusterKey($0).subkey(for: .init("testtest")) }
            wakeup = try Wakeup()
            (self.limits, self.maxAccepted) = (limits, maxAccepted)
        }

        func run() throws {
            try OwnerThread.start { [self] in try? loop() }.detach()
        }

        func add(_ order: Order) {
            orders.append([order])
            wakeup.signal()
        }

        func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) { add(.signal(signal, pipe)) }

        /// With `peer`, or with itself.
        func dial(to peer: PeerAddress? = nil) async throws(ExchangeError) -> any Exchange {
            let pipe = ExchangePipe(maxMessageBytes: 1 << 20, owner: self)
            add(.dial(pipe, peer ?? address))
            try await pipe.waitUntilOpen()
            return PipeExchange(peer: peer ?? address, pipe: pipe)
        }

        private func loop() throws {
            let streams = try StreamLoop<Side>(
                listener, protocol: Self.wire, key: key, wakeup: wakeup, events: events, maxAccepted: maxAccepted,
                accepted: .accepted, limits: limits
            ) { [self] opening in opening == [1] ? ExchangePipe(maxMessageBytes: 1 << 20, owner: self) : nil }
            func note(_ news: [StreamLoop<Side>.News]) {
                for one in news {
                    for event in one.events {
                        switch (event, one.purpose) {
                        case (.established, .accepted):
                            guard let pipe = one.connection.carriedPipe else { break }
                            accepted.append([PipeExchange(peer: one.connection.peer, pipe: pipe)])
                        case (.established, .talker(let messages)):
                            for message in messages { one.connection.send(message) }
                            note(streams.act(on: one.tag) { $0.flush() })
                        case (.established, .dialled): break
                        case (.message(let message), _): heard.append([message])
                        case (.drained, _): note(streams.act(on: one.tag) { $0.end() })
                        case (.failed(let error, _), _): failures.append([error])
                        case (.gone, _): ends.append([one.connection.tag])
                        }
                    }
                }
            }

            while true {
                note(try streams.wait(until: nil))
                for order in orders.takeNow() {
                    switch order {
                    case .stop: return streams.end(within: .milliseconds(500)) { note([$0]) }
                    case .signal(let signal, let pipe): note(streams.hear(signal, from: pipe))
                    case .dial(let pipe, let peer):
                        do throws(ExchangeError) {
                            _ = try streams.dial(
                                peer, from: address, opening: [1], for: .dialled, pipe: pipe, limits: limits)
                        } catch {
                            pipe.fail(error)
                        }
                    case .talk(let messages):
                        let (peer, limits) = (address, limits)
                        let tag = try streams.dial(
                            peer, from: peer, opening: [0], for: .talker(messages), limits: limits)
                        precondition(streams[tag] != nil)
                    }
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

    @Test("Messages over a connection without an exchange arrive in order, then both ends are gone")
    func messages() async throws {
        let owner = try Owner(key: [UInt8](1...32))
        try owner.run()
        defer { owner.add(.stop) }
        let messages = (0..<90).map { message($0, bytes: $0 * 1_000) }
        owner.add(.talk(messages))
        var heard: [[UInt8]] = []
        while heard.count < messages.count, let more = await owner.heard.next() { heard += more }
        #expect(heard == messages)
        var gone: Set<UInt64> = []
        while gone.count < 2, let more = await owner.ends.next() { gone.formUnion(more) }
        #expect(gone.count == 2)
    }

    @Test("Past the bound a peer is told that there are too many, and the operator; one that goes makes room")
    func tooMany() async throws {
        let owner = try Owner(key: nil, maxAccepted: 2)
        try owner.run()
        defer { owner.add(.stop) }
        let first = try await owner.dial()
        let second = try await owner.dial()
        await #expect(throws: ExchangeError.closed) { _ = try await owner.dial() }
        #expect(owner.events.totals.refusals == [.tooManyExchanges: 1])
        first.close()
        for exchange in await owner.accepted.next() ?? [] { exchange.close() }
        // Both sides of the first end are awaited: only then is its place free.
        var gone = 0
        while gone < 3, let more = await owner.ends.next() { gone += more.count }
        try await owner.dial().close()
        second.close()
    }

    @Test("When an owner ends, what was closed goes out and what was not breaks")
    func ending() async throws {
        let (owner, other) = (try Owner(key: nil), try Owner(key: nil))
        try owner.run()
        try other.run()
        let closed = try await owner.dial(to: other.address)
        let open = try await owner.dial(to: other.address)
        var theirs: [any Exchange] = []
        while theirs.count < 2, let more = await other.accepted.next() { theirs += more }
        for number in 0..<100 { try await closed.send(message(number, bytes: 1_000)) }
        try await open.send([1])
        closed.close()
        owner.add(.stop)
        for number in 0..<100 { #expect(try await theirs[0].receive() == message(number, bytes: 1_000)) }
        #expect(try await theirs[0].receive() == nil)
        await #expect(throws: ExchangeError.closed) { while try await theirs[1].receive() != nil {} }
        await #expect(throws: ExchangeError.closed) { _ = try await open.receive() }
        other.add(.stop)
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
