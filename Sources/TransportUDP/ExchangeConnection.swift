internal import class Foundation.NSLock
internal import NIOCore
import Transport
import TransportKit

/// One TCP connection on its event loop, and the pipe of the exchange that it carries.
///
/// Bounded both ways: the pipe holds a window of what is unsent, and no more is read from the socket while a window of
/// messages waits to be received.
///
/// `@unchecked Sendable`: `channel` and `linger` are touched under `lock` only, all else on the event loop. Nothing is asked
/// of the event loop once `channel` is gone, which it is before the loop ends.
final class ExchangeConnection: ExchangePipeOwner, @unchecked Sendable {
    /// How long a connection may take for what.
    struct Timeouts: Sendable {
        var handshake: Duration
        var idle: Duration
        var linger: Duration
    }

    let pipe = ExchangePipe(maxMessageBytes: ExchangeSession.maxMessageBytes)
    private let timeouts: Timeouts
    private let lock = NSLock()
    private var channel: (any NIOCore.Channel)?
    private var linger: Duration

    private var writer = FrameWriter.bare
    private var isReadingPaused = false
    private var isEndSent = false
    private var timer: Scheduled<Void>?

    init(timeouts: Timeouts) {
        self.timeouts = timeouts
        linger = timeouts.linger
        pipe.attach(to: self)
    }

    // MARK: From any thread

    func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) {
        lock.lock()
        defer { lock.unlock() }
        guard let channel else { return }
        switch signal {
        case .outgoing: channel.eventLoop.execute { self.flush(channel) }
        case .read: channel.eventLoop.execute { self.readOn(channel) }
        case .closed: channel.eventLoop.execute { self.farewell(channel) }
        }
    }

    /// The transport stops: what was sent has this long to go out.
    func close(linger: Duration) {
        lock.withLock { self.linger = linger }
        pipe.close()
    }
}

// MARK: On the event loop

extension ExchangeConnection {
    /// The connection has a channel; the handshake must be over in time.
    func attach(_ channel: any NIOCore.Channel) {
        lock.withLock { self.channel = channel }
        timer = channel.eventLoop.scheduleTask(in: .nanoseconds(timeouts.handshake.wholeNanoseconds)) {
            self.fail(.noAnswer)
        }
        // Given up before there was a channel.
        if pipe.phase == .over { fail(.closed) }
    }

    /// The handshake is over.
    func open(_ writer: FrameWriter) {
        self.writer = writer
        timer?.cancel()
        guard pipe.open(prepare: { writer.frame($0) }) else { return fail(.closed) }
        planIdleCheck(in: timeouts.idle)
    }

    /// Nobody wants what still arrives.
    var isClosing: Bool { pipe.phase == .closing || pipe.phase == .over }

    /// Whether to read on from the socket; if not, what the user reads starts it again.
    func wantsMore() -> Bool {
        pipe.noteProgress()
        isReadingPaused = !pipe.hasRoom
        return !isReadingPaused
    }

    /// The peer sends nothing more; what arrived can still be received. Where `isWhole` its end says that it takes
    /// nothing more either.
    func end(isWhole: Bool) {
        let isFinished = isWhole || pipe.phase == .closing
        pipe.end(isWhole: isFinished)
        if isFinished { currentChannel?.close(promise: nil) }
    }

    /// The exchange is over for a reason. What arrived before can still be received. `isChannelKept`: the caller closes
    /// the channel.
    func fail(_ error: ExchangeError, isChannelKept: Bool = false) {
        timer?.cancel()
        timer = nil
        let channel = lock.withLock {
            defer { self.channel = nil }
            return self.channel
        }
        pipe.fail(error)
        if !isChannelKept { channel?.close(promise: nil) }
    }

    private var currentChannel: (any NIOCore.Channel)? { lock.withLock { channel } }

    /// Messages sent until the loop comes round share one write.
    private func flush(_ channel: any NIOCore.Channel) {
        guard let outgoing = pipe.takeOutgoing() else { return }
        write(outgoing.frames, to: channel).whenComplete { _ in self.pipe.didSend(cost: outgoing.cost) }
    }

    private func write(_ frames: [[UInt8]], to channel: any NIOCore.Channel) -> EventLoopFuture<Void> {
        var buffer = channel.allocator.buffer(capacity: frames.reduce(0) { $0 + $1.count })
        for frame in frames { buffer.writeBytes(frame) }
        return channel.writeAndFlush(buffer)
    }

    private func readOn(_ channel: any NIOCore.Channel) {
        _ = pipe.takeRead()
        guard isReadingPaused, pipe.hasRoom else { return }
        isReadingPaused = false
        channel.read()
    }

    /// The user has closed: what was sent goes out, then the end.
    private func farewell(_ channel: any NIOCore.Channel) {
        guard pipe.phase == .closing else { return fail(.closed) }
        guard !isEndSent else { return }
        isEndSent = true
        timer?.cancel()
        let hasEnded = pipe.hasPeerEnded
        // Closing with unread bytes in the kernel would reset the connection and might cost the peer our last messages.
        // So the own direction ends first, and what comes is read and dropped until the peer ends its own.
        write((pipe.takeOutgoing()?.frames ?? []) + [writer.end()], to: channel).whenComplete { _ in
            if hasEnded { channel.close(promise: nil) } else { channel.close(mode: .output, promise: nil) }
        }
        isReadingPaused = false
        channel.read()
        let linger = lock.withLock { self.linger }
        timer = channel.eventLoop.scheduleTask(in: .nanoseconds(linger.wholeNanoseconds)) {
            channel.close(promise: nil)
        }
    }

    private func planIdleCheck(in time: Duration) {
        timer = currentChannel?.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) { self.checkIdle() }
    }

    private func checkIdle() {
        guard pipe.phase == .open else { return }
        let silent = ContinuousClock.now - pipe.lastProgress
        if silent >= timeouts.idle { fail(.closed) } else { planIdleCheck(in: timeouts.idle - silent) }
    }
}
