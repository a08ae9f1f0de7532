internal import CSockets
internal import Glibc
import Transport
import TransportKit

/// What the datagram thread does: waits for packets, orders and deadlines; moves packets in batches of 64. Confined to
/// that thread.
final class DatagramLoop {
    /// Room per arriving packet: the largest UDP packet there is. Only touched pages cost memory.
    private static let receiveCapacity = 65_536
    /// Batches in a row before the other direction gets its turn.
    private static let batchesPerTurn = 8
    /// How long the thread goes on sending after it was told to stop.
    private static let stopTime: Duration = .milliseconds(200)
    private static let batch = Int(CS_BATCH)

    private let descriptor: CInt
    private let wakeDescriptor: CInt
    private let isV6: Bool
    private let port: DatagramPort
    private let inlets: Inlets
    private let seal: PacketSeal?
    private let opener: PacketOpener
    private var gossip: Gossip
    /// What was taken from the network, and what others were told last.
    private var received = PerChannel(repeating: TransportStats.Traffic())
    private var published = PerChannel(repeating: TransportStats.OfChannel())

    private let receiveBuffer: UnsafeMutableRawPointer
    private let sendBuffer: UnsafeMutableRawPointer
    private var arriving = [cs_datagram](repeating: cs_datagram(), count: batch)
    /// Packets made and not yet taken by the system: those from `firstUnsent` up to `unsentEnd`.
    private var outgoing = [cs_datagram](repeating: cs_datagram(), count: batch)
    private var firstUnsent = 0
    private var unsentEnd = 0
    /// The socket is full: wait until it takes more.
    private var isBlocked = false
    /// The system is short of buffers, which it does not signal the end of.
    private var retryAt: EngineInstant?
    private let startNanoseconds = monotonicNanoseconds()

    init(
        descriptor: CInt, wakeDescriptor: CInt, isV6: Bool, port: DatagramPort,
        configuration: UDPTransportConfiguration, inlets: Inlets
    ) {
        self.descriptor = descriptor
        self.wakeDescriptor = wakeDescriptor
        self.isV6 = isV6
        self.port = port
        self.inlets = inlets
        seal = configuration.key.map(PacketSeal.init)
        opener = PacketOpener(seal: seal)
        gossip = Gossip(configuration: configuration.gossip, seed: configuration.seed ?? .random(in: 0 ... .max))
        receiveBuffer = .allocate(byteCount: Self.batch * Self.receiveCapacity, alignment: 16)
        sendBuffer = .allocate(byteCount: Self.batch * PacketCodec.maxPacketBytes, alignment: 16)
        for index in 0..<Self.batch {
            arriving[index].data = receiveBuffer + index * Self.receiveCapacity
            outgoing[index].data = sendBuffer + index * PacketCodec.maxPacketBytes
        }
    }

    deinit {
        receiveBuffer.deallocate()
        sendBuffer.deallocate()
    }

    /// Runs until the port says stop, or the socket fails for good.
    func run() -> Result<Void, TransportError> {
        var stopBy: EngineInstant?
        while true {
            let ready = cs_wait(descriptor, wakeDescriptor, isBlocked ? 1 : 0, timeoutNanoseconds(stopBy: stopBy))
            guard ready >= 0 else { return .failure(.failed(reason: "poll: \(String(cString: strerror(-ready)))")) }
            if ready & 4 != 0 { _ = cs_take_error(descriptor) }
            if ready & 2 != 0 { isBlocked = false }
            if ready & 1 != 0 { receive() }
            let orders = port.takeOrders()
            apply(orders)
            transmit()
            for (cause, count) in gossip.takeDrops() { inlets.events.dropped(cause, count: count) }
            inlets.events.report()
            publishStats()
            guard orders.isStopping else { continue }
            let deadline = stopBy ?? now + Self.stopTime
            stopBy = deadline
            let isDone = firstUnsent == unsentEnd && !gossip.hasWaiting
            if isDone || isBlocked || now >= deadline { return .success(()) }
        }
    }

    private var now: EngineInstant { EngineInstant(nanoseconds: monotonicNanoseconds() - startNanoseconds) }

    /// Time until the next deadline; negative when there is none, so that an idle node does not wake up.
    private func timeoutNanoseconds(stopBy: EngineInstant?) -> Int64 {
        let hasUnsent = firstUnsent < unsentEnd
        var deadlines = [stopBy, hasUnsent ? retryAt : nil]
        if !isBlocked && retryAt == nil { deadlines.append(hasUnsent ? .zero : gossip.nextDeadline) }
        var timeout: Int64 = -1
        let now = now
        if let earliest = deadlines.compactMap({ $0 }).min() {
            timeout = max(0, (earliest - now).wholeNanoseconds)
        }
        if let due = inlets.events.reportDue {
            let wait = max(0, (due - .now).wholeNanoseconds)
            timeout = timeout < 0 ? wait : min(timeout, wait)
        }
        return timeout
    }

    private func publishStats() {
        for channel in Channel.allCases {
            var stats = TransportStats.OfChannel()
            stats.sent = gossip.sent[channel]
            stats.received = received[channel]
            stats.sendQueue = gossip.waiting(on: channel)
            guard stats != published[channel] else { continue }
            published[channel] = stats
            port.publish(stats, on: channel)
        }
    }

    private func apply(_ orders: DatagramPort.Orders) {
        if let peers = orders.peers { gossip.setPeers(peers) }
        for command in orders.commands {
            switch command {
            case .send(let message, let channel, let peer): gossip.send(message, on: channel, to: peer)
            case .broadcast(let message, let channel, let options):
                gossip.broadcast(message, on: channel, options: options)
            }
        }
    }
}

// MARK: Receiving

extension DatagramLoop {
    private func receive() {
        for _ in 0..<Self.batchesPerTurn {
            let count = cs_receive(descriptor, &arriving, UInt32(Self.batch), UInt32(Self.receiveCapacity))
            // An error here is an ICMP answer to something sent, or nothing there; poll reports what lasts.
            guard count > 0 else { return }
            var batches = PerChannel<[Arrival]>(repeating: [])
            for index in 0..<Int(count) { take(arriving[index], into: &batches) }
            for channel in Channel.allCases where !batches[channel].isEmpty {
                for arrival in batches[channel] { received[channel].add(bytes: arrival.message.count) }
                inlets.deliver(batches[channel], on: channel)
            }
            if count < Self.batch { return }
        }
    }

    private func take(_ datagram: cs_datagram, into batches: inout PerChannel<[Arrival]>) {
        guard datagram.is_truncated == 0 else {
            inlets.events.dropped(.tooLarge)
            return
        }
        let sender = datagram.address
        let packet = [UInt8](UnsafeRawBufferPointer(start: datagram.data, count: Int(datagram.length)))
        switch opener.open(packet[...]) {
        case .dropped(let cause, let refusal):
            inlets.events.dropped(cause)
            if let refusal { inlets.events.refused(refusal, sender) }
        case .content(let content):
            let contents = PacketCodec.decode(content)
            if contents.malformed > 0 { inlets.events.dropped(.malformed, count: contents.malformed) }
            if contents.unsupported > 0 { inlets.events.dropped(.unsupported, count: contents.unsupported) }
            for part in contents.parts {
                batches[part.channel].append(
                    Arrival(message: Array(part.message), sender: sender, delivery: part.delivery))
            }
        }
    }
}

// MARK: Sending

extension DatagramLoop {
    private func transmit() {
        if let retryAt, retryAt > now { return }
        retryAt = nil
        var batches = 0
        while !isBlocked && retryAt == nil && batches < Self.batchesPerTurn {
            if firstUnsent == unsentEnd && !makePackets() { return }
            batches += 1
            sendBatch()
        }
    }

    /// Fills the send buffer; `false` when there is nothing to send now.
    private func makePackets() -> Bool {
        let packets = gossip.nextPackets(at: now, limit: Self.batch)
        firstUnsent = 0
        unsentEnd = 0
        for packet in packets {
            guard isV6 || packet.destination.isV4 else {
                inlets.events.dropped(.sendFailed)
                continue
            }
            let bytes = seal?.seal(packet.content) ?? packet.content
            bytes.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                outgoing[unsentEnd].data.copyMemory(from: base, byteCount: source.count)
            }
            outgoing[unsentEnd].length = UInt32(bytes.count)
            outgoing[unsentEnd].setAddress(packet.destination)
            unsentEnd += 1
        }
        return unsentEnd > 0
    }

    private func sendBatch() {
        var refusals = 0
        while firstUnsent < unsentEnd {
            let sent = outgoing.withUnsafeBufferPointer { buffer in
                cs_send(
                    descriptor, buffer.baseAddress.map { $0 + firstUnsent }, UInt32(unsentEnd - firstUnsent),
                    isV6 ? 1 : 0)
            }
            if sent > 0 {
                firstUnsent += Int(sent)
                refusals = 0
                continue
            }
            switch -sent {
            case EAGAIN:
                isBlocked = true
                return
            case ENOBUFS, ENOMEM:
                retryAt = now + .milliseconds(1)
                return
            case EINTR:
                continue
            case ECONNREFUSED where refusals < 4:
                // The answer to an earlier packet, told on the next call; this packet was not tried yet.
                refusals += 1
            default:
                // This destination cannot be reached from here; the others may be.
                inlets.events.dropped(.sendFailed)
                firstUnsent += 1
                refusals = 0
            }
        }
    }
}

private func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

extension PeerAddress {
    fileprivate var isV4: Bool {
        if case .v4 = host { return true }
        return false
    }
}

extension cs_datagram {
    fileprivate var address: PeerAddress {
        withUnsafeBytes(of: host) { bytes in
            let host: PeerAddress.Host =
                host_length == 4
                ? .v4(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
                : .v6(
                    high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            return PeerAddress(host: host, port: port)
        }
    }

    fileprivate mutating func setAddress(_ address: PeerAddress) {
        port = address.port
        withUnsafeMutableBytes(of: &host) { bytes in
            switch address.host {
            case .v4(let value):
                bytes.storeBytes(of: value.bigEndian, as: UInt32.self)
            case .v6(let high, let low):
                bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        }
        if case .v4 = address.host { host_length = 4 } else { host_length = 16 }
    }
}
