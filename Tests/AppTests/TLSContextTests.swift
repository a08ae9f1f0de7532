import Foundation
import Logging
import TestSupport
import Runtime
import Testing

@testable import AutoClusterSync

@Suite("Files of TLS and of tokens")
struct TLSContextTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try certificates.selfSigned("a")
    }

    @Test(
        "Certificates with keys of every usual kind are taken",
        arguments: [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]])
    func kinds(key: [String]) throws {
        try certificates.selfSigned("b", key: key)
        #expect(throws: Never.self) { try TLSContext.load(files("b.pem", "b.key", clientCA: "a.pem")) }
        // In the older forms of OpenSSL too, and with both in one file.
        try certificates.openssl(
            ["pkey", "-in", certificates.path("b.key"), "-traditional", "-out", certificates.path("old.key")])
        let both =
            try String(contentsOfFile: certificates.path("b.pem"), encoding: .utf8)
            + String(contentsOfFile: certificates.path("old.key"), encoding: .utf8)
        _ = try certificates.write(both, to: "both.pem")
        #expect(throws: Never.self) { try TLSContext.load(files("both.pem", "both.pem")) }
    }

    @Test("A file that is of no use is named with its key and the reason, and nothing of it is shown")
    func unusable() throws {
        try certificates.selfSigned("b")
        try certificates.selfSigned("rsa", key: ["rsa:2048"])
        try certificates.openssl(
            [
                "pkey", "-in", certificates.path("a.key"), "-aes128", "-passout", "pass:secret", "-out",
                certificates.path("locked.key"),
            ])
        try certificates.openssl(
            [
                "rsa", "-in", certificates.path("rsa.key"), "-aes128", "-traditional", "-passout", "pass:secret",
                "-out",
                certificates.path("locked-old.key"),
            ])
        _ = try certificates.write("", to: "empty")
        _ = try certificates.write("secret\n", to: "text")
        let pem = try String(contentsOfFile: certificates.path("a.pem"), encoding: .utf8)
        _ = try certificates.write(pem + pem.dropLast(200), to: "cut.pem")
        _ = try certificates.write(String(repeating: "#", count: TLSContext.maximumFileBytes + 1), to: "long")
        let (cert, key, ca) = ("node.http.tls.cert", "node.http.tls.key", "node.http.tls.client_ca")
        for (files, at, name, part) in [
            (files("none.pem", "a.key"), cert, "none.pem", "cannot open the file: No such file"),
            (files("empty", "a.key"), cert, "empty", "no certificate"),
            (files("text", "a.key"), cert, "text", "no certificate"),
            (files("a.key", "a.key"), cert, "a.key", "no certificate"),
            (files("cut.pem", "a.key"), cert, "cut.pem", "damaged"),
            (files("long", "a.key"), cert, "long", "at most 1048576 bytes"),
            (files("", "a.key"), cert, "", "cannot read the file"),
            (files("a.pem", "none.key"), key, "none.key", "cannot open the file"),
            (files("a.pem", "empty"), key, "empty", "no private key"),
            (files("a.pem", "a.pem"), key, "a.pem", "no private key"),
            (files("a.pem", "locked.key"), key, "locked.key", "encrypted"),
            (files("a.pem", "locked-old.key"), key, "locked-old.key", "encrypted"),
            (files("a.pem", "b.key"), key, "b.key", "does not fit the certificate in \(certificates.path("a.pem"))"),
            (files("a.pem", "a.key", clientCA: "none"), ca, "none", "cannot open the file"),
            (files("a.pem", "a.key", clientCA: "a.key"), ca, "a.key", "no certificate"),
        ] {
            let error = #expect(throws: UnusableFile.self) { try TLSContext.load(files) }
            let text = error?.description ?? ""
            #expect(text.hasPrefix("\(at): cannot use \(certificates.path(name)): ") && text.contains(part), "\(text)")
            #expect(!text.contains("secret") && !text.contains("\n"))
        }
    }

    @Test("A key that all can read, and a certificate that is not valid now, are warned of")
    func warnings() throws {
        chmod(certificates.path("a.key"), 0o600)
        #expect(try TLSContext.load(files("a.pem", "a.key")).warnings == [])
        chmod(certificates.path("a.key"), 0o604)
        #expect(try TLSContext.load(files("a.pem", "a.key")).warnings.count == 1)
        try certificates.openssl(
            [
                "x509", "-in", certificates.path("a.pem"), "-signkey", certificates.path("a.key"), "-days", "-1",
                "-out",
                certificates.path("old.pem"),
            ])
        #expect(try TLSContext.load(files("old.pem", "a.key")).warnings.count == 2)
    }

    @Test("What cannot be used at a reload leaves what was there, each file for itself")
    func reload() throws {
        var settings = Settings.HTTP()
        settings.tls = files("a.pem", "a.key")
        settings.tokens = .file(try certificates.write("abcdefghijklmnop\n", to: "tokens"))
        let credentials = try HTTPCredentials(settings, logger: .silent)
        let (tls, tokens) = (try #require(credentials.tls), try #require(credentials.tokens))
        let first = tls.value
        credentials.reload()
        let second = tls.value
        #expect(first !== second)
        _ = try certificates.write("", to: "a.key")
        _ = try certificates.write("bcdefghijklmnopq\n", to: "tokens")
        credentials.reload()
        #expect(tls.value === second)
        #expect(tokens.refusal(of: .bearing("abcdefghijklmnop")) != nil)
        #expect(tokens.refusal(of: .bearing("bcdefghijklmnopq")) == nil)
        _ = try certificates.write("nothing of use\n", to: "tokens")
        credentials.reload()
        #expect(tokens.refusal(of: .bearing("bcdefghijklmnopq")) == nil)
    }

    @Test("A node with a file of tokens that is of no use does not start", arguments: [nil, "", "too short\n"])
    func unusableTokens(text: String?) throws {
        var settings = Settings.HTTP()
        settings.tokens = .file(try text.map { try certificates.write($0, to: "tokens") } ?? certificates.path("none"))
        let error = #expect(throws: UnusableFile.self) { try HTTPCredentials(settings, logger: .silent) }
        #expect(
            error?.description.hasPrefix("node.http.tokens_file: cannot use \(certificates.directory.path)/") == true)
    }

    private func files(_ certificate: String, _ key: String, clientCA: String? = nil) -> Settings.TLSFiles {
        Settings.TLSFiles(
            certificate: certificates.path(certificate), key: certificates.path(key),
            clientCA: clientCA.map(certificates.path))
    }
}
