internal import CSockets
internal import Glibc
import Transport

/// Finds out why no link came about, which libzmq does not tell: one plain TCP connection that sends the first bytes of
/// a ZMTP greeting (RFC 23) and looks at what comes back. Confined to the owner thread.
final class StrangerProbe {
    enum Finding: Equatable {
        case refused
        case noAnswer
        /// It speaks ZMTP, with this security: `NULL`, `CURVE`.
        case zmtp(mechanism: String)
        /// It speaks something else, or hung up.
        case stranger

        /// Why there is no link, to a node that has a key or none. `ofZMTP`: what it is where it does speak ZMTP, if that is
        /// known.
        func error(hasKey: Bool, ofZMTP known: ExchangeError?) -> ExchangeError {
            switch self {
            case .refused: .refused
            case .noAnswer: .noAnswer
            // Where both have keys and the handshake fails, the keys do not fit.
            case .zmtp(let mechanism): known ?? (mechanism == "NULL" && !hasKey ? .otherTransport : .otherKey)
            case .stranger: .otherTransport
            }
        }
    }

    /// ff, length of nothing, 7f, version 3.1. The other side answers the version with its mechanism, before it has seen
    /// ours.
    private static let greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]
    /// Where the mechanism stands, filled up with zeros.
    private static let mechanismRange = 12..<32

    private let descriptor: CInt
    private let poller: Poller
    private var source: Poller.Source?
    private var answer: [UInt8] = []
    private var hasSent = false
    private let found: (Finding) -> Void

    /// What was found without waiting.
    struct AtOnce: Error { var finding: Finding }

    /// `found` is called once, not before this returns, unless `close` comes first.
    /// `source`: where to connect from, as the link did.
    init(
        _ address: PeerAddress, from source: PeerAddress?, poller: Poller, found: @escaping (Finding) -> Void
    ) throws(AtOnce) {
        let host = address.hostBytes
        let from = source?.hostBytes ?? []
        descriptor = cs_connect_stream(host, UInt8(host.count), address.port, from, UInt8(from.count))
        self.poller = poller
        self.found = found
        guard descriptor >= 0 else {
            throw AtOnce(finding: descriptor == -ECONNREFUSED ? .refused : .noAnswer)
        }
        self.source = try? poller.add(descriptor, wantsWrite: true) { [unowned self] in proceed() }
        guard self.source != nil else {
            Glibc.close(descriptor)
            throw AtOnce(finding: .noAnswer)
        }
    }

    func close() {
        guard let source else { return }
        self.source = nil
        poller.remove(source)
        Glibc.close(descriptor)
    }

    private func proceed() {
        if !hasSent {
            let error = cs_take_error(descriptor)
            guard error == 0 else { return finish(error == ECONNREFUSED ? .refused : .noAnswer) }
            let count = Glibc.send(descriptor, Self.greeting, Self.greeting.count, CInt(MSG_NOSIGNAL))
            guard count > 0 else {
                // Not connected yet: the poller calls again.
                return errno == EAGAIN || errno == ENOTCONN ? () : finish(.stranger)
            }
            hasSent = true
            guard waitForAnswer() else { return }
        }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.recv(descriptor, &bytes, bytes.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? () : finish(.stranger) }
        if count == 0 { return finish(.stranger) }
        answer += bytes.prefix(count)
        if answer[0] != 0xff || answer.count >= 10 && answer[9] != 0x7f { return finish(.stranger) }
        guard answer.count >= Self.mechanismRange.upperBound else { return }
        let mechanism = answer[Self.mechanismRange].prefix { $0 != 0 }
        finish(.zmtp(mechanism: String(decoding: mechanism, as: UTF8.self)))
    }

    /// From here on only what comes is of interest: a socket that can always be written to would keep the thread awake.
    private func waitForAnswer() -> Bool {
        guard let source else { return false }
        poller.remove(source)
        self.source = try? poller.add(descriptor) { [unowned self] in proceed() }
        if self.source != nil { return true }
        Glibc.close(descriptor)
        found(.noAnswer)
        return false
    }

    private func finish(_ finding: Finding) {
        close()
        found(finding)
    }
}
