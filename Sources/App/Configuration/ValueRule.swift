internal import Keys
internal import Logging
internal import Store
internal import Transport
internal import TransportKit

/// What a setting accepts, wherever it comes from: a file or a flag.
struct ValueRule<Value> {
    /// Completes "expected …".
    let expectation: String
    /// In the file the value is a number, so that a text in quotes is not accepted.
    var isNumber = false
    /// Messages never show the value.
    var isSecret = false
    /// An empty text means the same as no value at all.
    var isEmptyAbsent = false
    let parse: (String) -> Value?

    /// The message for a `text` that `parse` refused.
    func refusal(of text: String) -> String {
        guard !isSecret else {
            return "expected \(expectation); what is there is \(text.utf8.count) characters and is not shown"
        }
        return "expected \(expectation), found \(ConfigurationFault.quoted(text))"
    }
}

extension ValueRule<TransportPlugin> {
    /// A kind, spelled exactly so.
    static func transport(of transports: TransportRegistry) -> Self {
        Self(expectation: "one of \(transports.kinds.joined(separator: ", "))") { text in
            transports.plugins.first { $0.kind.isSame(as: text) }
        }
    }
}

extension ValueRule<String> {
    static var nodeName: Self {
        // What membership takes: names are compared byte for byte, and stand in logs.
        Self(expectation: "1 to 128 printable ASCII characters") { text in
            (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) } ? text : nil
        }
    }

    static var path: Self {
        Self(expectation: "the path of a file, 1 to 4096 bytes") { text in
            (1...4096).contains(text.utf8.count) && !text.utf8.contains(0) ? text : nil
        }
    }

    static var httpHost: Self {
        Self(expectation: "a host name or an address without a port", isEmptyAbsent: true) { text in
            text.isHost(allowingIPv6: true) ? text : nil
        }
    }
}

extension ValueRule<Bool> {
    static var flag: Self {
        Self(expectation: "true or false") { text in
            switch text {
            case "true": true
            case "false": false
            default: nil
            }
        }
    }
}

extension ValueRule<Logger.Level> {
    static var logLevel: Self {
        let levels: [(String, Logger.Level)] = [
            ("debug", .debug), ("info", .info), ("warn", .warning), ("error", .error),
        ]
        return Self(expectation: "one of debug, info, warn, error") { text in levels.first { $0.0.isSame(as: text) }?.1
        }
    }
}

extension ValueRule<StoreConfiguration.Synchronous> {
    static var synchronous: Self {
        Self(expectation: "one of full, normal") { StoreConfiguration.Synchronous(rawValue: $0) }
    }
}

extension ValueRule<UInt16> {
    static var port: Self {
        Self(expectation: "a port from 0 to 65535 (0: any free one)", isNumber: true) { text in
            text.isDecimal ? UInt16(text) : nil
        }
    }
}

extension ValueRule<Duration> {
    /// Above nothing, up to an hour.
    static var seconds: Self {
        Self(expectation: "a number of seconds above 0 and up to 3600", isNumber: true) { text in
            guard text.utf8.first.map({ $0 != UInt8(ascii: "0") || !text.hasPrefix("0x") }) == true,
                let seconds = Double(text), seconds > 0, seconds <= 3600
            else { return nil }
            // Below a millisecond nothing can be waited for; the least that is accepted stays above zero.
            return max(.seconds(seconds), .milliseconds(1))
        }
    }
}

extension ValueRule<HostAndPort> {
    /// `host:port` or `[v6]:port`.
    static func address(ports: ClosedRange<UInt16>, isEmptyAbsent: Bool = true) -> Self {
        Self(
            expectation: "host:port or [address]:port with a port from \(ports.lowerBound) to \(ports.upperBound)",
            isEmptyAbsent: isEmptyAbsent
        ) { text in
            guard text.utf8.count <= 300, let (host, port) = PeerAddress.split(text), ports.contains(port),
                host.isHost(allowingIPv6: text.hasPrefix("[")),
                !text.hasPrefix("[") || host.utf8.contains(UInt8(ascii: ":"))
            else { return nil }
            return HostAndPort(host: host, port: port)
        }
    }
}

extension ValueRule<ClusterKey> {
    static var clusterKey: Self {
        Self(
            expectation: "base64 of exactly 32 bytes (auto-cluster-sync -keygen makes one)",
            isSecret: true, isEmptyAbsent: true
        ) { ClusterKey(base64: $0) }
    }
}

extension ValueRule<AccessToken> {
    static var accessToken: Self {
        let counts = AccessToken.byteCounts
        return Self(
            expectation: "\(counts.lowerBound) to \(counts.upperBound) characters of A-Z a-z 0-9 - . _ ~ + /, "
                + "with = only at the end", isSecret: true
        ) { AccessToken($0) }
    }
}

extension ValueRule<Int> {
    static func count(_ range: ClosedRange<Int>) -> Self {
        Self(expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)", isNumber: true) { text in
            text.isDecimal ? Int(text).flatMap { range.contains($0) ? $0 : nil } : nil
        }
    }
}

extension String {
    /// Digits without a sign or leading zeros.
    fileprivate var isDecimal: Bool {
        !isEmpty && utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && (utf8.count == 1 || utf8.first != UInt8(ascii: "0"))
    }

    /// A host name (RFC 1123, with the underscore that is met in practice), an IPv4 or an IPv6 address.
    fileprivate func isHost(allowingIPv6: Bool) -> Bool {
        if utf8.contains(UInt8(ascii: ":")) { return allowingIPv6 && PeerAddress("[\(self)]:0") != nil }
        let labels = utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...253).contains(utf8.count), labels.allSatisfy({ (1...63).contains($0.count) }),
            utf8.allSatisfy({
                $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
            })
        else { return false }
        // What ends in a number must be an address, and whole: 10.0.0.300 is no host name.
        guard let last = labels.last, last.allSatisfy({ $0.isDigit }) else { return true }
        return PeerAddress("\(self):0") != nil
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    fileprivate var isLetterOrDigit: Bool {
        isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }
}
