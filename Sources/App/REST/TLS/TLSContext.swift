internal import NIOCore
internal import NIOSSL
internal import Runtime

/// Makes what a server needs for TLS of the files that the configuration names.
enum TLSContext {
    /// What was read; nothing of it is used unless all of it can be.
    struct Loaded: Sendable {
        var context: NIOSSLContext
        /// What an operator should look at, though it works.
        var warnings: [String] = []
    }

    /// More than any chain of certificates takes.
    static let maximumFileBytes = 1 << 20
    /// How long a connection that is closed waits for the client to close its side of TLS.
    private static let shutdownTimeout: TimeAmount = .seconds(1)

    /// Blocks.
    static func load(_ files: Settings.TLSFiles) throws(UnusableFile) -> Loaded {
        let chain = try certificates(files.certificate, key: "node.http.tls.cert")
        let (key, isReadableByAll) = try privateKey(files.key)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.shutdownTimeout = shutdownTimeout
        if let path = files.clientCA {
            configuration.trustRoots = .certificates(try certificates(path, key: "node.http.tls.client_ca"))
            configuration.certificateVerification = .noHostnameVerification
            configuration.sendCANameList = true
        }
        var loaded: Loaded
        do {
            loaded = Loaded(context: try NIOSSLContext(configuration: configuration))
        } catch {
            throw UnusableFile(
                key: "node.http.tls.key", path: files.key,
                reason: "it does not fit the certificate in \(files.certificate)")
        }
        if isReadableByAll { loaded.warnings.append("node.http.tls.key: every user of this machine can read it") }
        let now = Int(WallClock.milliseconds() / 1000)
        if let first = chain.first, now < first.notValidBefore || now > first.notValidAfter {
            loaded.warnings.append("node.http.tls.cert: the certificate is not valid at this time")
        }
        return loaded
    }

    private static func certificates(_ path: String, key: String) throws(UnusableFile) -> [NIOSSLCertificate] {
        let file = try UnusableFile.read(path, key: key, maximumBytes: maximumFileBytes)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(file.bytes), !certificates.isEmpty else {
            throw UnusableFile(key: key, path: path, reason: "it holds no certificate in PEM, or a damaged one")
        }
        return certificates
    }

    private static func privateKey(_ path: String) throws(UnusableFile) -> (NIOSSLPrivateKey, isReadableByAll: Bool) {
        let key = "node.http.tls.key"
        let file = try UnusableFile.read(path, key: key, maximumBytes: maximumFileBytes)
        // As PKCS #8 and as OpenSSL's older form write it.
        let text = String(decoding: file.bytes, as: UTF8.self)
        guard !text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----"), !text.contains("Proc-Type: 4,ENCRYPTED") else {
            throw UnusableFile(key: key, path: path, reason: "the key is encrypted; expected one without a passphrase")
        }
        guard let privateKey = try? NIOSSLPrivateKey(bytes: file.bytes, format: .pem) else {
            throw UnusableFile(key: key, path: path, reason: "it holds no private key in PEM, or a damaged one")
        }
        return (privateKey, file.isReadableByAll)
    }
}
