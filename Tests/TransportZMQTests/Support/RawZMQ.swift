import CLibZMQ
import Foundation
import Testing
import Transport

@testable import TransportZMQ

/// A libzmq context outside of any plugin.
///
/// `@unchecked Sendable`: libzmq's contexts may be used by any thread.
final class RawContext: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer

    init() throws { handle = try #require(zmq_ctx_new()) }

    deinit { zmq_ctx_term(handle) }
}

/// A libzmq socket outside of any plugin. It never waits.
///
/// `@unchecked Sendable`: it is used by one task at a time, and a task brings its memory along where it goes on.
final class RawSocket: @unchecked Sendable {
    private let context: RawContext
    private var handle: UnsafeMutableRawPointer?

    init(_ type: CInt, in context: RawContext, _ options: [CInt: CInt] = [:]) throws {
        self.context = context
        handle = zmq_socket(context.handle, type)
        try #require(handle != nil)
        set(ZMQ_LINGER, 0)
        for (name, value) in options { set(name, value) }
    }

    deinit { close() }

    func close() {
        if let handle { zmq_close(handle) }
        handle = nil
    }

    func set(_ name: CInt, _ value: CInt) {
        var value = value
        let code = zmq_setsockopt(handle, name, &value, MemoryLayout<CInt>.size)
        #expect(code == 0, "option \(name)")
    }

    func set(_ name: CInt, _ bytes: [UInt8]) {
        let code = zmq_setsockopt(handle, name, bytes, bytes.count)
        #expect(code == 0, "option \(name)")
    }

    /// Binds to any free port of 127.0.0.1.
    func bind() throws -> PeerAddress {
        try #require(zmq_bind(handle, "tcp://127.0.0.1:*") == 0)
        var text = [CChar](repeating: 0, count: 256)
        var size = text.count
        try #require(zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0)
        let endpoint = String(decoding: text[..<(size - 1)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return try #require(PeerAddress(String(endpoint.dropFirst("tcp://".count))))
    }

    func connect(_ address: PeerAddress) throws { try #require(zmq_connect(handle, "tcp://\(address)") == 0) }

    /// `false` when there is no room or nobody there.
    func sendNow(_ frames: [UInt8]...) -> Bool {
        for (index, frame) in frames.enumerated() {
            let more = index < frames.count - 1 ? CInt(ZMQ_SNDMORE) : 0
            if zmq_send(handle, frame, frame.count, CInt(ZMQ_DONTWAIT) | more) < 0 { return false }
        }
        return true
    }

    /// All frames of the next message, when there is one.
    func receiveNow() -> [[UInt8]]? {
        var frames: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 200_000)
        while true {
            let count = zmq_recv(handle, &buffer, buffer.count, CInt(ZMQ_DONTWAIT))
            if count < 0 { return frames.isEmpty ? nil : frames }
            frames.append(Array(buffer.prefix(Int(count))))
            var more: CInt = 0
            var size = MemoryLayout<CInt>.size
            zmq_getsockopt(handle, ZMQ_RCVMORE, &more, &size)
            if more == 0 { return frames }
        }
    }

    /// The next message, waited for.
    func next(within time: Duration = .seconds(5)) async -> [[UInt8]]? {
        let deadline = ContinuousClock.now + time
        while true {
            if let frames = receiveNow() { return frames }
            if ContinuousClock.now > deadline { return nil }
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// Says over a link what it is told to say, as a node that has dialled: a bare DEALER.
final class FakeDialler: Sendable {
    let socket: RawSocket

    init(_ context: RawContext, to address: PeerAddress) throws {
        socket = try RawSocket(ZMQ_DEALER, in: context, [ZMQ_RECONNECT_IVL: -1])
        try socket.connect(address)
    }

    /// Hello and welcome.
    @discardableResult
    func greet(versions: ClosedRange<UInt8> = ZMQTransport.versions, port: UInt16 = 9) async throws -> Hello {
        let hello = Hello(versions: versions, stream: .random(in: 1 ... .max), port: port, publishPort: 9)
        await say(.hello(hello))
        guard case .welcome(let welcome)? = await next() else { throw NoWelcome() }
        return welcome
    }

    struct NoWelcome: Error {}

    func say(_ message: LinkMessage) async { await say(message.encoded()) }

    /// Waits for room.
    func say(_ frame: [UInt8]) async {
        await eventually("the node reads", within: .seconds(10)) { socket.sendNow(frame) }
    }

    func next(within time: Duration = .seconds(5)) async -> LinkMessage? {
        guard let frames = await socket.next(within: time), let frame = frames.first else { return nil }
        return try? LinkMessage.decode(frame)
    }

    /// Whether the node says `expected` in time; what it says before that is dropped.
    func hears(_ expected: LinkMessage, within time: Duration = .seconds(5)) async -> Bool {
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            if await next(within: .milliseconds(200)) == expected { return true }
        }
        return false
    }
}

/// Says what it is told to say, as a node that was dialled: a bare ROUTER, and a bare XPUB without a mark.
final class FakeAcceptor: Sendable {
    let router: RawSocket
    let publisher: RawSocket
    let address: PeerAddress
    let hello: Hello

    init(_ context: RawContext) throws {
        router = try RawSocket(ZMQ_ROUTER, in: context, [ZMQ_ROUTER_MANDATORY: 1])
        publisher = try RawSocket(ZMQ_XPUB, in: context, [ZMQ_SNDHWM: 0])
        address = try router.bind()
        hello = Hello(stream: .random(in: 1 ... .max), port: address.port, publishPort: try publisher.bind().port)
    }

    /// Takes a hello and answers it; then the link's routing id.
    func welcome() async throws -> [UInt8] {
        let frames = try #require(await router.next())
        let (id, message) = (frames[0], try LinkMessage.decode(frames[1]))
        guard case .hello = message else { throw FakeDialler.NoWelcome() }
        await say(.welcome(hello), to: id)
        return id
    }

    func say(_ message: LinkMessage, to id: [UInt8]) async { await say(message.encoded(), to: id) }

    func say(_ frame: [UInt8], to id: [UInt8]) async {
        await eventually("the node reads", within: .seconds(10)) { router.sendNow(id, frame) }
    }

    func next(within time: Duration = .seconds(5)) async -> LinkMessage? {
        guard let frames = await router.next(within: time), frames.count == 2 else { return nil }
        return try? LinkMessage.decode(frames[1])
    }
}
