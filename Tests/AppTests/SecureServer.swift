import Foundation
import NIOCore
import NIOSSL
import Runtime
import TestSupport

@testable import AutoClusterSync

/// A server over TLS, with a certificate of its own, and clients that trust it.
struct SecureServer {
    let certificates: TestCertificates
    /// What the server shows.
    let context: LockedBox<NIOSSLContext>

    init() throws {
        certificates = try TestCertificates()
        try certificates.selfSigned("server")
        let files = Settings.TLSFiles(
            certificate: certificates.path("server.pem"), key: certificates.path("server.key"))
        context = LockedBox(try TLSContext.load(files).context)
    }

    /// A client that trusts the server, and offers one protocol, or none.
    func client(_ alpn: String? = nil) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(certificates.path("server.pem"))
        configuration.certificateVerification = .noHostnameVerification
        configuration.applicationProtocols = alpn.map { [$0] } ?? []
        return try NIOSSLContext(configuration: configuration)
    }

    /// Runs `body` with a connection that has agreed on HTTP/2 and said nothing yet.
    func withHTTP2(
        _ service: MemoryTodoService = MemoryTodoService(), limits: HTTPLimits = HTTPLimits(),
        _ body: @escaping @Sendable (inout RawClient.Connection) async throws -> Void
    ) async throws {
        let client = try client("h2")
        try await withServer(service, limits: limits, tls: context) { port, _ in
            try await RawClient.connect(port: port, tls: client, body)
        }
    }
}

extension HTTPLimits {
    /// For tests of clients that leave something undone. Long enough for those to begin in time on a busy machine.
    static var short: Self {
        var limits = HTTPLimits()
        (limits.idleTimeout, limits.stallTimeout) = (.seconds(1), .milliseconds(2500))
        (limits.bodyTimeout, limits.lingerTimeout) = (.milliseconds(500), .milliseconds(100))
        return limits
    }
}
