internal import Glibc

/// An IP address and a port: what a transport dials and what arrivals come from.
///
/// One address has one form: an IPv6 address that stands for an IPv4 one (`::ffff:a.b.c.d`) is held as IPv4.
public struct PeerAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// An IP address.
    public enum Host: Hashable, Sendable {
        /// In host byte order: 127.0.0.1 is `0x7f000001`.
        case v4(UInt32)
        case v6(high: UInt64, low: UInt64)
    }

    /// The IP address in its one form.
    public let host: Host
    /// The port; 0 only in what is to be bound.
    public let port: UInt16

    /// Brings the address into its one form.
    public init(host: Host, port: UInt16) {
        if case .v6(high: 0, let low) = host, low >> 32 == 0xffff {
            self.host = .v4(UInt32(truncatingIfNeeded: low))
        } else {
            self.host = host
        }
        self.port = port
    }

    /// Reads `127.0.0.1:7946` or `[::1]:7946`. Host names are the caller's to resolve.
    public init?(_ text: String) {
        guard let (host, port) = Self.split(text) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, host, &bytes) == 1 {
            self.init(hostBytes: bytes[..<4], port: port)
        } else if inet_pton(AF_INET6, host, &bytes) == 1 {
            self.init(hostBytes: bytes[...], port: port)
        } else {
            return nil
        }
    }

    /// Four bytes of IPv4 or sixteen of IPv6, in network order; `nil` for any other count.
    public init?(hostBytes: ArraySlice<UInt8>, port: UInt16) {
        func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        switch hostBytes.count {
        case 4: self.init(host: .v4(UInt32(truncatingIfNeeded: integer(hostBytes))), port: port)
        case 16: self.init(host: .v6(high: integer(hostBytes.prefix(8)), low: integer(hostBytes.suffix(8))), port: port)
        default: return nil
        }
    }

    /// The host part and the port of `host:port`, the host being a name, an IPv4 address or a bracketed IPv6 address.
    public static func split(_ text: String) -> (host: String, port: UInt16)? {
        // Byte by byte: what follows a colon or bracket may join it to one character. And no byte of zero, at which the
        // system's readers would take the text to end.
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), !text.utf8.contains(0) else { return nil }
        let digits = text[text.utf8.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon].utf8
        if host.first == UInt8(ascii: "[") {
            guard host.last == UInt8(ascii: "]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(UInt8(ascii: ":")) {
            return nil
        }
        guard !host.isEmpty, !host.contains(where: { "[]".utf8.contains($0) }) else { return nil }
        return (String(Substring(host)), port)
    }

    /// Four bytes for IPv4, sixteen for IPv6, in network order.
    public var hostBytes: [UInt8] {
        func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
        }
        switch host {
        case .v4(let value): return bytes(UInt64(value), 4)
        case .v6(let high, let low): return bytes(high, 8) + bytes(low, 8)
        }
    }

    /// Whether it leads back to this machine only: 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        switch host {
        case .v4(let value): return value >> 24 == 127
        case .v6(let high, let low): return high == 0 && low == 1
        }
    }

    /// 0.0.0.0 or ::, good for binding only: nobody can dial it.
    public var isUnspecified: Bool {
        switch host {
        case .v4(let value): return value == 0
        case .v6(let high, let low): return high == 0 && low == 0
        }
    }

    /// The same host at another port.
    public func with(port: UInt16) -> Self { Self(host: host, port: port) }

    /// IPv4 before IPv6, then by address, then by port.
    public static func < (left: Self, right: Self) -> Bool { left.sortKey < right.sortKey }

    private var sortKey: (UInt8, UInt64, UInt64, UInt16) {
        switch host {
        case .v4(let value): return (4, 0, UInt64(value), port)
        case .v6(let high, let low): return (6, high, low, port)
        }
    }

    /// `127.0.0.1:7946` or `[::1]:7946`.
    public var description: String {
        switch host {
        case .v4(let value):
            return "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255):\(port)"
        case .v6:
            var text = [CChar](repeating: 0, count: 64)
            let bytes = hostBytes
            guard inet_ntop(AF_INET6, bytes, &text, 64) != nil else { return "[?]:\(port)" }
            return "[\(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))]:\(port)"
        }
    }
}
