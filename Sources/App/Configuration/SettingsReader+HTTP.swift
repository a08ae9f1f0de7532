internal import NIOCore

extension SettingsReader {
    mutating func readHTTP(_ entry: Entry?, into settings: inout PartialSettings) {
        let http = section(entry, keys: ["host", "port", "tls", "token", "tokens_file", "limits"])
        settings.httpHost = value(http["host"], .httpHost)
        settings.httpPort = value(http["port"], .port)
        settings.tls = tls(http["tls"])
        settings.tokens = tokens(http)
        let limits = limits(http["limits"])
        settings.httpLimits = limits == HTTPLimits() ? nil : limits
    }

    /// Certificate and key make a pair, and a CA of clients needs both.
    private mutating func tls(_ entry: Entry?) -> Settings.TLSFiles? {
        let keys = ["cert", "key", "client_ca"]
        let tls = section(entry, keys: keys)
        let certificate = value(tls["cert"], .path)
        let key = value(tls["key"], .path)
        let clientCA = value(tls["client_ca"], .path)
        let given = keys.filter { tls[$0]?.node.isAbsent == false }
        for needed in ["cert", "key"] where !given.isEmpty && !given.contains(needed) {
            fault(given.first.flatMap { tls[$0] }, "expected \(needed) beside it, found nothing")
        }
        guard let certificate, let key else { return nil }
        return Settings.TLSFiles(certificate: certificate, key: key, clientCA: clientCA)
    }

    private mutating func tokens(_ http: Section) -> Settings.TokenSource? {
        let token = value(http["token"], .accessToken)
        let path = value(http["tokens_file"], .path)
        if http["token"]?.node.isAbsent == false, http["tokens_file"]?.node.isAbsent == false {
            fault(http["tokens_file"], "expected either this or node.http.token, found both")
        }
        return token.map { .token($0) } ?? path.map { .file($0) }
    }

    private mutating func limits(_ entry: Entry?) -> HTTPLimits {
        let limits = section(
            entry,
            keys: [
                "header_bytes", "header_field_bytes", "header_count", "body_bytes", "body_timeout", "idle_timeout",
                "stall_timeout", "tls_handshake_timeout", "connections", "h2_streams",
            ])
        var read = HTTPLimits()
        let seconds = { (duration: Duration?) in duration.map { TimeAmount($0) } }
        read.maximumHeaderBytes = value(limits["header_bytes"], .count(1024...1 << 20)) ?? read.maximumHeaderBytes
        read.maximumHeaderFieldBytes =
            value(limits["header_field_bytes"], .count(1024...1 << 20)) ?? read.maximumHeaderFieldBytes
        read.maximumHeaderCount = value(limits["header_count"], .count(16...1000)) ?? read.maximumHeaderCount
        read.maximumBodyBytes = value(limits["body_bytes"], .count(1024...16 << 20)) ?? read.maximumBodyBytes
        read.bodyTimeout = value(limits["body_timeout"], .seconds) ?? read.bodyTimeout
        read.idleTimeout = seconds(value(limits["idle_timeout"], .seconds)) ?? read.idleTimeout
        read.stallTimeout = seconds(value(limits["stall_timeout"], .seconds)) ?? read.stallTimeout
        read.handshakeTimeout = seconds(value(limits["tls_handshake_timeout"], .seconds)) ?? read.handshakeTimeout
        read.maximumConnections = value(limits["connections"], .count(1...100_000)) ?? read.maximumConnections
        read.maximumStreams = value(limits["h2_streams"], .count(1...1000)) ?? read.maximumStreams
        return read
    }
}
