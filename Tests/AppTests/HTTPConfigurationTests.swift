import Testing

@testable import AutoClusterSync

@Suite("The configuration of the REST API")
struct HTTPConfigurationTests {
    @Test(
        "A wrong value is a fault at its key path",
        arguments: [
            ("node: { http: { tls: on } }", "node.http.tls"),
            ("node: { http: { tls: { cert: a } } }", "node.http.tls.cert"),
            ("node: { http: { tls: { key: a } } }", "node.http.tls.key"),
            ("node: { http: { tls: { cert: a, key: '' } } }", "node.http.tls.key"),
            ("node: { http: { tls: { cert: [a], key: b } } }", "node.http.tls.cert"),
            ("node: { http: { tls: { cert: a, key: b, ca: c } } }", "node.http.tls.ca"),
            ("node: { http: { token: short } }", "node.http.token"),
            ("node: { http: { token: '' } }", "node.http.token"),
            ("node: { http: { token: [abcdefghijklmnop] } }", "node.http.token"),
            ("node: { http: { token: 'abcdefghijklmno p' } }", "node.http.token"),
            ("node: { http: { tokens_file: '' } }", "node.http.tokens_file"),
            ("node: { http: { token: abcdefghijklmnop, tokens_file: f } }", "node.http.tokens_file"),
            ("node: { http: { limits: 1 } }", "node.http.limits"),
            ("node: { http: { limits: { body_bytes: 1023 } } }", "node.http.limits.body_bytes"),
            ("node: { http: { limits: { body_bytes: 16777217 } } }", "node.http.limits.body_bytes"),
            ("node: { http: { limits: { body_bytes: 1e6 } } }", "node.http.limits.body_bytes"),
            ("node: { http: { limits: { body_bytes: '2048' } } }", "node.http.limits.body_bytes"),
            ("node: { http: { limits: { body_bytes: 99999999999999999999 } } }", "node.http.limits.body_bytes"),
            ("node: { http: { limits: { header_bytes: 0 } } }", "node.http.limits.header_bytes"),
            ("node: { http: { limits: { header_field_bytes: 1048577 } } }", "node.http.limits.header_field_bytes"),
            ("node: { http: { limits: { header_count: 15 } } }", "node.http.limits.header_count"),
            ("node: { http: { limits: { idle_timeout: 0 } } }", "node.http.limits.idle_timeout"),
            ("node: { http: { limits: { stall_timeout: 3601 } } }", "node.http.limits.stall_timeout"),
            ("node: { http: { limits: { body_timeout: x } } }", "node.http.limits.body_timeout"),
            ("node: { http: { limits: { tls_handshake_timeout: -1 } } }", "node.http.limits.tls_handshake_timeout"),
            ("node: { http: { limits: { connections: 0 } } }", "node.http.limits.connections"),
            ("node: { http: { limits: { h2_streams: 1001 } } }", "node.http.limits.h2_streams"),
            ("node: { http: { limits: { linger: 1 } } }", "node.http.limits.linger"),
        ])
    func wrongValues(text: String, location: String) {
        #expect(settingsFaults(text).map(\.location) == [location])
    }

    @Test("A token is read as it stands, also one of digits, and no message shows one")
    func tokens() throws {
        for text in ["1234567890123456", "'1234567890123456'", "\"1234567890123456\""] {
            let settings = Settings(try readSettings("node: { http: { token: \(text) } }"), hostName: "m")
            #expect(settings.http.tokens == AccessToken("1234567890123456").map { .token($0) })
        }
        for text in [
            "node: {http: {token: 'a secret text of mine'}}", "node: {http: {token: ['a secret text of mine']}}",
            "node: {http: {tokn: 'a secret text of mine'}}", "node: {http: {token: 'a secret text of mine\n x: [",
        ] {
            let faults = settingsFaults(text)
            #expect(!faults.isEmpty && !faults.contains { $0.description.contains("secret") }, "\(faults)")
        }
        #expect(
            try readSettings("node: {http: {token: , tokens_file: ~, tls: {cert: , key: ~}, limits: }}")
                == PartialSettings())
    }

    @Test("With TLS the address that others are told says so")
    func url() {
        var http = Settings.HTTP()
        #expect(http.url("a:1") == "http://a:1" && !http.isLoopback)
        http.tls = Settings.TLSFiles(certificate: "a", key: "b")
        #expect(http.url("a:1") == "https://a:1")
        for (host, isLoopback) in [
            ("127.0.0.1", true), ("::1", true), ("localhost", true), ("::", false), ("a", false),
        ] {
            http.host = host
            #expect(http.isLoopback == isLoopback, "\(host)")
        }
    }
}
