internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Transport

/// Answers requests: finds the endpoint, checks the request against its description, runs it.
struct RESTResponder: Sendable {
    /// What is known of a request while it is answered.
    private struct Progress {
        var operationID = ""
        var isBodyRead = false
    }

    private let routes: RouteTable
    private let isReady: @Sendable () -> Bool
    private let limits: HTTPLimits
    private let tokens: AccessTokens?
    private let metrics: HTTPMetrics?
    private let logger: Logger
    private let failures: FailureLog

    init(
        _ endpoints: [Endpoint], isReady: @escaping @Sendable () -> Bool,
        limits: HTTPLimits = HTTPLimits(), tokens: AccessTokens? = nil, metrics: HTTPMetrics? = nil, logger: Logger
    ) {
        routes = RouteTable(endpoints)
        self.isReady = isReady
        self.limits = limits
        self.tokens = tokens
        self.metrics = metrics
        self.logger = logger
        failures = FailureLog(logger: logger)
    }

    /// The answer to `GET`, also for `HEAD`. With a `Connection: close` the rest of the request is not worth reading.
    ///
    /// Throws only what the connection throws while the body is read.
    ///
    /// - Parameters:
    ///   - refusal: what the connection has against the request; it is answered with that, and counted like any.
    ///   - isWanted: whether there still is a client.
    ///   - bodyWanted: called before the body is read, if it is.
    func respond(
        to request: Request, refusal: Problem? = nil, isWanted: @escaping @Sendable () -> Bool = { true },
        bodyWanted: () -> Void = {}
    ) async throws -> Response {
        let start = logger.logLevel <= .debug ? ContinuousClock.now : nil
        var progress = Progress()
        var response: Response
        var status: Int?
        let begin = metrics?.began()
        defer { if let begin { metrics?.ended(begin, operation: progress.operationID, status: status) } }
        do {
            response = try await answer(request, refusal, isWanted, &progress, bodyWanted)
        } catch let problem as Problem {
            response = problem.response()
        }
        status = response.status.code
        if !progress.isBodyRead, request.hasLongBody { response.headers[.connection] = "close" }
        if let start {
            logger.log(
                .debug, "Request answered",
                [
                    .method: "\(request.method)", .operation: progress.operationID, .status: response.status.code,
                    .durationMilliseconds: (ContinuousClock.now - start).inSeconds * 1_000,
                ])
        }
        return response
    }

    private func answer(
        _ request: Request, _ refusal: Problem?, _ isWanted: @escaping @Sendable () -> Bool,
        _ progress: inout Progress, _ bodyWanted: () -> Void
    ) async throws -> Response {
        let endpoint: Endpoint
        let rawParameters: [Substring.UTF8View]
        let match = routes.match(request.method, request.uri.path)
        // A refusal too is counted and logged as one of the operation that was asked for.
        if case .endpoint(let found, _) = match { progress.operationID = found.operation.id }
        if let refusal { throw refusal }
        // Before anything is said, so that a stranger cannot tell what is here.
        if !match.isOpen, let refusal = tokens?.refusal(of: request) { throw refusal }
        switch match {
        case .nothing: throw Problem.notFound
        case .methodNotAllowed(let allow): throw Problem.methodNotAllowed(allow: allow)
        case .endpoint(let found, let parameters): (endpoint, rawParameters) = (found, parameters)
        }
        guard endpoint.operation.isAlwaysServed || isReady() else { throw Problem.notReady }

        var faults = RequestFaults()
        var arguments = Arguments(isWanted: isWanted)
        var reader = ParameterReader(request: request, pathSegments: rawParameters)
        for parameter in endpoint.operation.parameters {
            arguments.parameters.append((parameter.name, reader.read(parameter, &faults)))
        }
        if let schema = endpoint.operation.body {
            try request.checkBodyIsJSON(maximumBytes: limits.maximumBodyBytes)
            progress.isBodyRead = true
            bodyWanted()
            let bytes = try await readBody(of: request)
            arguments.body = try Self.read(bytes, schema, &faults)
        }
        guard faults.list.isEmpty else { throw Problem.invalid(faults) }
        do {
            return try await endpoint.run(arguments)
        } catch {
            let problem = Problem(error)
            if problem.status == .internalServerError || problem.status == .insufficientStorage {
                failures.note(error, operation: progress.operationID)
            }
            throw problem
        }
    }

    /// At most `maximumBodyBytes`, whether or not the client said how many there would be.
    private func readBody(of request: Request) async throws -> ByteBuffer {
        var body = ByteBuffer()
        do {
            for try await var chunk in request.body {
                if body.readableBytes == 0 { body = chunk } else { body.writeBuffer(&chunk) }
                guard body.readableBytes <= limits.maximumBodyBytes else {
                    throw Problem.tooLarge(limit: limits.maximumBodyBytes)
                }
            }
        } catch is ConnectionEnd.RequestTimeout {
            throw Problem.tooSlow
        }
        return body
    }

    private static func read(
        _ bytes: ByteBuffer, _ schema: Schema, _ faults: inout RequestFaults
    ) throws(Problem) -> JSONObject {
        guard bytes.readableBytes > 0 else { throw .bodyRequired }
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONParser.parse(bytes.readableBytesView)
        } catch {
            throw .malformed(error)
        }
        schema.check(value, at: "body", &faults)
        guard case .object(let object) = value else { return JSONObject() }
        return object
    }
}

extension Request {
    /// A body that is not read anyway is not worth reading to its end, to keep the connection, when it may be long.
    fileprivate var hasLongBody: Bool {
        if headers.contains(.transferEncoding) { return true }
        guard let length = headers[.contentLength] else { return false }
        // Who was not told to send it may leave it out, and go on with something else.
        return (Int(length) ?? .max) > (headers.contains(.expect) ? 0 : 64 << 10)
    }

    /// What the head says about a body, before any of it is read.
    fileprivate func checkBodyIsJSON(maximumBytes: Int) throws(Problem) {
        let length = headers[.contentLength].map { Int($0) ?? .max }
        guard headers.contains(.transferEncoding) || (length ?? 0) > 0 else { throw .bodyRequired }
        if let type = headers[.contentType], !type.isJSONMediaType { throw .unsupportedMediaType }
        if let length, length > maximumBytes { throw .tooLarge(limit: maximumBytes) }
    }
}
