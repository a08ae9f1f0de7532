internal import Logging
internal import NIOSSL
internal import Runtime

/// What the REST API reads from files of its own, at start and again whenever it is told to: certificate, key, CA of the
/// clients, and tokens.
struct HTTPCredentials: Sendable {
    /// `nil`: HTTP in clear.
    let tls: LockedBox<NIOSSLContext>?
    /// `nil`: whoever reaches the address may do everything.
    let tokens: AccessTokens?

    private let settings: Settings.HTTP
    private let logger: Logger

    /// Blocks. Throws an error whose description is one sentence for the operator.
    init(_ settings: Settings.HTTP, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        tls = try settings.tls.map { LockedBox(try Self.context($0, logger)) }
        tokens = try settings.tokens.map { try AccessTokens(try Self.tokens($0, logger)) }
        if tokens != nil, tls == nil, !settings.isLoopback {
            logger.warning("Tokens without node.http.tls: whoever sees the traffic of this node can read and use them")
        }
    }

    /// Reads the files anew, for connections and requests that come after this. What cannot be used stays as it was.
    /// Blocks.
    func reload() {
        var reloaded: [String] = []
        var failures: [String] = []
        func attempt(_ name: String, _ body: () throws -> Void) {
            do {
                try body()
                reloaded.append(name)
            } catch {
                failures.append("\(error)")
            }
        }
        if let tls, let files = settings.tls {
            attempt("certificate") { tls.value = try Self.context(files, logger) }
        }
        if let tokens, case .file = settings.tokens, let source = settings.tokens {
            attempt("tokens") { try tokens.replace(with: try Self.tokens(source, logger)) }
        }
        for reason in failures {
            logger.log(.error, "Not reloaded, what was there before stays in use", [.reason: reason])
        }
        guard failures.isEmpty || !reloaded.isEmpty else { return }
        logger.log(.info, "Reloaded", [.reloaded: reloaded.isEmpty ? "nothing" : reloaded.joined(separator: ", ")])
    }

    private static func context(_ files: Settings.TLSFiles, _ logger: Logger) throws -> NIOSSLContext {
        let loaded = try TLSContext.load(files)
        for warning in loaded.warnings { logger.log(.warning, "Check the files of node.http.tls", [.reason: warning]) }
        return loaded.context
    }

    private static func tokens(_ source: Settings.TokenSource, _ logger: Logger) throws -> [AccessToken] {
        switch source {
        case .token(let token): return [token]
        case .file(let path):
            let key = "node.http.tokens_file"
            let file = try UnusableFile.read(path, key: key, maximumBytes: AccessTokenFile.maximumBytes)
            let tokens: [AccessToken]
            do {
                tokens = try AccessTokenFile.parse(file.bytes)
            } catch {
                throw UnusableFile(key: key, path: path, reason: error.description)
            }
            if file.isReadableByAll {
                logger.log(.warning, "Every user of this machine can read node.http.tokens_file", [.path: path])
            }
            return tokens
        }
    }
}
