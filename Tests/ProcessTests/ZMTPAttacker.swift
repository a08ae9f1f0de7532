import Foundation
import Transport

/// TCP connections that speak ZMTP (rfc.zeromq.org/spec/23), up to some point: random bytes, greetings that are cut off
/// or changed, handshakes as any kind of socket, frames that lie about their length, and the plugin's own messages from
/// nobody. Some are reset at once, some half closed, most left open and silent for a while.
final class ZMTPAttacker: Attacker {
    private(set) var sentCount = 0
    private var rubbish: Rubbish
    private let ports: [Int]
    /// Connections that are left open, the oldest first.
    private var open: [Int32] = []

    init(ports: [Int], _ nodeIDs: [NodeID]) {
        self.ports = ports
        rubbish = Rubbish(nodeIDs)
    }

    func attack() {
        for _ in 0..<20 {
            guard let connection = Loopback.connect(ports[rubbish.number(ports.indices)]) else { continue }
            let (opening, rest) = stream()
            if say(opening, on: connection) { sentCount += 1 }
            if !rest.isEmpty, hearsReady(on: connection) { _ = say(rest, on: connection) }
            // Closing resets the connection, since the greeting of the other side is never read; what has arrived there
            // is lost if it was not read by then.
            switch rubbish.number(0..<4) {
            case 0: close(connection)
            case 1:
                shutdown(connection, Int32(SHUT_WR))
                open.append(connection)
            default: open.append(connection)
            }
            if open.count > 96 { close(open.removeFirst()) }
        }
    }

    /// A peer that hangs up meanwhile is right to.
    private func say(_ bytes: [UInt8], on connection: Int32) -> Bool {
        send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) >= 0
    }

    /// Whether the other side got as far as to take messages: it has sent its greeting and a command, and not hung up.
    private func hearsReady(on connection: Int32) -> Bool {
        var limit = timeval(tv_sec: 0, tv_usec: 50_000)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var chunk = [UInt8](repeating: 0, count: 512)
        var count = 0
        while count <= 64 {
            let read = recv(connection, &chunk, chunk.count, 0)
            guard read > 0 else { return false }
            count += read
        }
        return true
    }

    /// All that one connection says: at once, and when the handshake is done.
    private func stream() -> (opening: [UInt8], rest: [UInt8]) {
        switch rubbish.number(0..<8) {
        case 0: return ([], [])
        case 1: return (rubbish.random(1..<400), [])
        case 2: return (Array(Self.greeting("NULL").prefix(rubbish.number(1..<64))), [])
        case 3: return (rubbish.mutated(Self.greeting("CURVE")), rubbish.random(1..<400))
        case 4:
            // The first step of CURVE, whose box nobody can open, or half of it.
            let hello = Self.command("HELLO", [1, 0] + rubbish.random(192..<193))
            return (Self.greeting("CURVE") + hello.prefix(rubbish.number(1..<300)), rubbish.random(1..<400))
        case 5: return (Self.greeting("NULL") + rubbish.mutated(ready()) + frames(), [])
        default: return (Self.greeting("NULL") + ready(), frames())
        }
    }

    private func ready() -> [UInt8] {
        // Those that a ROUTER or an XPUB takes come most often.
        let kinds = ["DEALER", "DEALER", "DEALER", "SUB", "SUB", "XSUB", "REQ", "ROUTER", "PUB", "PAIR", "nothing"]
        let identity = rubbish.number(0..<3) == 0 ? rubbish.random(0..<256) : []
        return Self.command(
            "READY",
            Self.property("Socket-Type", Array(kinds[rubbish.number(kinds.indices)].utf8))
                + Self.property("Identity", identity))
    }

    private func frames() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<rubbish.number(0..<20) {
            switch rubbish.number(0..<10) {
            case 0: bytes += Self.frame(flags: 0, [UInt8(rubbish.number(0..<2))] + rubbish.random(0..<20))
            case 1:
                bytes += Self.command(
                    ["PING", "SUBSCRIBE", "ERROR", "x"][rubbish.number(0..<4)], rubbish.random(0..<40))
            case 2:
                // Announces more than will ever come.
                bytes.append(2)
                bytes.append(bigEndian: rubbish.number64() >> UInt64(rubbish.number(0..<60)))
                bytes += rubbish.random(0..<100)
            case 3: bytes += Self.frame(flags: 1, rubbish.random(0..<100))
            case 4: bytes += Self.frame(flags: 0, rubbish.mutated(link()))
            case 5...8: bytes += Self.frame(flags: 0, link())
            default: bytes += Self.frame(flags: 0, rubbish.message())
            }
        }
        return bytes
    }

    /// What the plugin's own DEALER would say.
    private func link() -> [UInt8] {
        var bytes: [UInt8]
        switch rubbish.number(0..<6) {
        case 0, 1:
            // From a start that nobody knows, with ports where nobody listens.
            bytes = [UInt8(rubbish.number(1..<3))] + Array("ACSZ".utf8) + [1, 1]
            bytes.append(bigEndian: rubbish.number64())
            for _ in 0..<2 { bytes.append(bigEndian: UInt16(rubbish.number(1_024..<20_000))) }
            bytes.append(0)
        case 2: bytes = [4, UInt8(rubbish.number(0..<2))] + rubbish.message()
        case 3:
            bytes = [7]
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: rubbish.number64()))
        case 4:
            bytes = [UInt8(rubbish.number(0x10..<0x16))]
            bytes.append(bigEndian: UInt32(rubbish.number(0..<4)))
            bytes += rubbish.random(0..<200)
        default: bytes = [UInt8(rubbish.number(0..<0x18))] + rubbish.random(0..<40)
        }
        return bytes
    }

    private static func greeting(_ mechanism: String) -> [UInt8] {
        let name = Array(mechanism.utf8)
        return [0xff] + [UInt8](repeating: 0, count: 7) + [1, 0x7f, 3, 0] + name
            + [UInt8](repeating: 0, count: 20 - name.count + 32)
    }

    private static func command(_ name: String, _ body: [UInt8]) -> [UInt8] {
        frame(flags: 4, [UInt8(name.utf8.count)] + Array(name.utf8) + body)
    }

    private static func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
        var bytes = [UInt8(name.utf8.count)] + Array(name.utf8)
        bytes.append(bigEndian: UInt32(value.count))
        return bytes + value
    }

    private static func frame(flags: UInt8, _ body: [UInt8]) -> [UInt8] {
        guard body.count > 255 else { return [flags, UInt8(body.count)] + body }
        var bytes = [flags | 2]
        bytes.append(bigEndian: UInt64(body.count))
        return bytes + body
    }

    deinit { for connection in open { close(connection) } }
}
