internal import CoreMetrics
internal import Glibc
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Runtime
internal import ServiceLifecycle

/// The REST API at an address.
///
/// - Parameters:
///   - port: 0 takes any free one; `onListening` tells which.
///   - isReady: asked for every request; the todos are served while it says so.
///   - status: asked for `/health/info`.
///   - transport: the kind of the node's, for the description; `nil` for a node that stands alone.
///   - tls: HTTP goes over TLS with what is there when a connection begins; `nil`: in clear.
///   - tokens: of which requests must show one; `nil`: none is needed.
///   - furtherEndpoints: served besides the health and todo endpoints.
///   - metrics: where requests and connections are counted, if anywhere.
///   - onListening: called once, with the port, when connections are accepted.
///
/// Throws only where the description of the API cannot be written down.
func makeHTTPApplication(
    host: String, port: UInt16, service: some TodoService, isReady: @escaping @Sendable () -> Bool,
    status: @escaping @Sendable () async -> NodeStatus, transport: String? = nil, furtherEndpoints: [Endpoint] = [],
    limits: HTTPLimits = HTTPLimits(), tls: LockedBox<NIOSSLContext>? = nil, tokens: AccessTokens? = nil,
    metrics factory: (any MetricsFactory)? = nil, logger: Logger,
    onListening: @escaping @Sendable (UInt16) async -> Void = { _ in }
) throws -> HTTPApplication {
    let unsent = UnsentBytes(maximum: limits.maximumUnsentBytes)
    let described =
        TodoEndpoints(service: service, unsent: unsent).all
        + HealthEndpoints(isReady: isReady, status: status, transport: transport).all
    let document = OpenAPIDocument(
        described.map(\.operation), version: BuildInfo.version, limits: limits, wantsToken: tokens != nil)
    let descriptions = try OpenAPIEndpoints(document)
    let docs = DocsEndpoint(openAPI: descriptions.json)
    let endpoints = described + descriptions.all + [docs.endpoint] + furtherEndpoints
    let metrics = factory.map { HTTPMetrics(endpoints.map(\.operation), wantsToken: tokens != nil, $0) }
    return HTTPApplication(
        host: host, port: port, limits: limits, tls: tls,
        responder: RESTResponder(
            endpoints, isReady: isReady, limits: limits, tokens: tokens, metrics: metrics, logger: logger),
        unsent: unsent, metrics: metrics, logger: logger, onListening: onListening)
}

/// Serves HTTP until it is shut down gracefully: then it stops accepting, finishes the requests that have begun, and
/// returns. A client that takes an answer slowly can hold that up; the service group's own deadline bounds it.
struct HTTPApplication: Service {
    let host: String
    let port: UInt16
    let limits: HTTPLimits
    let tls: LockedBox<NIOSSLContext>?
    let responder: RESTResponder
    let unsent: UnsentBytes
    let metrics: HTTPMetrics?
    let logger: Logger
    let onListening: @Sendable (UInt16) async -> Void

    /// Throws, as `run` would, where the port cannot be had now. Nothing stays bound.
    static func checkPort(host: String, port: UInt16) async throws {
        do {
            let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: Int(port)).get()
            try await server.close()
        } catch {
            throw HTTPApplicationError.cannotListen(host: host, port: port, reason: reason(error))
        }
    }

    func run() async throws {
        let (limits, responder, unsent, onListening) = (limits, responder, unsent, onListening)
        let date = HTTPDate()
        // The library says at the level of information what `onListening` lets the caller say.
        var logger = logger
        if logger.logLevel == .info || logger.logLevel == .notice { logger.logLevel = .warning }
        var configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                IdleStateHandler(allTimeout: limits.stallTimeout),
                ConnectionGuard(date: date), ConnectionEnd(limits: limits, unsent: unsent),
            ])
        configuration.httpDecoder.maxHeaderFieldSize = limits.maximumHeaderFieldBytes
        configuration.httpDecoder.maxHeaderListSize = limits.maximumHeaderBytes
        configuration.httpDecoder.maxHeaderFieldCount = limits.maximumHeaderCount
        let http1 = HTTP1Channel(
            responder: { request, writer, channel in
                try await Self.serve(request, writer, channel, responder, unsent, limits, date)
            }, configuration: configuration)
        let stream = HTTP1Channel(
            responder: { request, writer, channel in
                try await Self.serve(request, writer, channel, responder, unsent, limits, date, isHTTP2: true)
            })
        let channel: any ServerChildChannel =
            if let tls {
                SecureChannel(context: tls, limits: limits, unsent: unsent, http1: http1, stream: stream)
            } else { http1 }
        let bound = MaximumAvailableConnections(limits.maximumConnections, logger: logger)
        // What can fail before this is listening; afterwards every connection's failure is its own.
        let server = channel.server(
            configuration: ServerConfiguration(
                address: .hostname(host, port: Int(port)), backlog: 1024,
                availableConnectionsDelegate: metrics?.counting(bound) ?? bound),
            onServerRunning: { channel in
                await onListening(UInt16(truncatingIfNeeded: channel.localAddress?.port ?? 0))
            }, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        do {
            try await server.run()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw HTTPApplicationError.cannotListen(host: host, port: port, reason: Self.reason(error))
        }
    }

    @concurrent private static func serve(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ responder: RESTResponder,
        _ unsent: UnsentBytes, _ limits: HTTPLimits, _ date: HTTPDate, isHTTP2: Bool = false
    ) async throws {
        // An HTTP/1 decoder refuses these itself; that of HTTP/2 knows only the sum, and 16 KiB as its limit until the
        // client has confirmed ours.
        let isTooLarge = isHTTP2 && !limits.allow(request.headers)
        let awaitsContinue = !isHTTP2 && request.headers.contains(.expect)
        var response = try await responder.respond(
            to: request, refusal: isTooLarge ? .headersTooLarge : nil, isWanted: { channel.isActive }
        ) {
            if awaitsContinue { channel.triggerUserOutboundEvent(HTTP1Rules.BodyWanted(), promise: nil) }
        }
        response.headers.append(HTTPField(name: .date, value: date.now))
        // The library knows no other spelling of a client's wish than "close".
        if request.headers[.connection]?.lowercased() == "close" { response.headers[.connection] = "close" }
        if request.method == .head {
            try await writer.writeResponse(response.head)
        } else {
            // Until the connection has it, which may have to send another answer before.
            let waitingBytes = response.body.contentLength ?? 0
            let isCounted = waitingBytes >= UnsentBytes.minimumBytes
            if isCounted { unsent.add(waitingBytes) }
            defer { if isCounted { unsent.remove(waitingBytes) } }
            try await writer.write(response: response.head, body: response.body)
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode)).lowercased()
        case is SocketAddressError, is SocketAddressError.UnknownHost: "no such host"
        default: "\(error)"
        }
    }
}

extension HTTPLimits {
    /// Whether these fields keep to the number and the sizes that they may have.
    fileprivate func allow(_ fields: HTTPFields) -> Bool {
        var (count, totalBytes) = (0, 0)
        // No client of HTTP/2 sends that one: `StreamGuard` adds it.
        for field in fields where field.name != .transferEncoding {
            count += 1
            let bytes = field.name.rawName.utf8.count + field.value.utf8.count
            guard bytes <= maximumHeaderFieldBytes else { return false }
            totalBytes += bytes
        }
        return count <= maximumHeaderCount && totalBytes <= maximumHeaderBytes
    }
}

/// Why the REST API does not run. Nothing was bound.
enum HTTPApplicationError: Error, Equatable, CustomStringConvertible {
    case cannotListen(host: String, port: UInt16, reason: String)

    var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason):
            "cannot listen for HTTP on \(HostAndPort(host: host, port: port)): \(reason)"
        }
    }
}
