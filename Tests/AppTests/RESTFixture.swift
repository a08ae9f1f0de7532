import CoreMetrics
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Membership
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import AutoClusterSync

/// The REST API without a socket.
struct RESTFixture {
    let service = MemoryTodoService()
    let unsent = UnsentBytes(maximum: HTTPLimits().maximumUnsentBytes)
    let isReady = NIOLockedValueBox(true)
    let status = NIOLockedValueBox(NodeStatus.sample)
    let responder: RESTResponder
    private let routes: RouteTable
    private let wantsToken: Bool

    init(
        tokens: AccessTokens? = nil, metrics factory: (any MetricsFactory)? = nil, furtherEndpoints: [Endpoint] = []
    ) {
        let (isReady, status) = (isReady, status)
        let health = HealthEndpoints(
            isReady: { isReady.withLockedValue { $0 } }, status: { status.withLockedValue { $0 } })
        let endpoints = health.all + TodoEndpoints(service: service, unsent: unsent).all + furtherEndpoints
        routes = RouteTable(endpoints)
        responder = RESTResponder(
            endpoints, isReady: { isReady.withLockedValue { $0 } }, tokens: tokens,
            metrics: factory.map { HTTPMetrics(endpoints.map(\.operation), wantsToken: tokens != nil, $0) },
            logger: .silent)
        wantsToken = tokens != nil
    }

    func get(_ path: String) async throws -> Answer { try await send(.get, path) }

    @discardableResult
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, type: String? = "application/json",
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        try await send(method, path, bytes: body.map { Array($0.utf8) }, type: type, headers: headers)
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, type: String? = "application/json",
        length: Int? = nil, headers: HTTPFields = [:], authorization: [String] = []
    ) async throws -> Answer {
        var head = HTTPRequest(
            method: method, scheme: "http", authority: "test", path: path, headerFields: headers)
        if let bytes {
            head.headerFields[.contentLength] = String(length ?? bytes.count)
            head.headerFields[.contentType] = type
        }
        head.headerFields[values: .authorization] = authorization
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: bytes ?? [])))
        let response = try await responder.respond(to: request)
        // Whatever a test is about: no operation answers with a status that its description does not name.
        if case .endpoint(let endpoint, _) = routes.match(method, request.uri.path) {
            #expect(
                endpoint.operation.statuses(wantsToken: wantsToken).contains(response.status.code),
                "\(endpoint.operation.id) says \(response.status)")
        }
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, bytes: collector.bytes)
    }

    @discardableResult
    func create(_ externID: String, _ text: String = "text") async throws -> Answer {
        let object = try JSONSerialization.data(withJSONObject: ["extern_id": externID, "todo": text])
        return try await send(.post, "/todos", bytes: Array(object))
    }
}

/// A response as a client sees it.
struct Answer {
    var status: Int
    var headers: HTTPFields
    var bytes: [UInt8]

    var text: String { String(decoding: bytes, as: UTF8.self) }
    /// Read by Foundation, for a second opinion.
    var json: Any? { try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) }
    var object: [String: Any] { json as? [String: Any] ?? [:] }
    var errors: [[String: Any]] { object["errors"] as? [[String: Any]] ?? [] }
    /// Location and message of each fault, in order.
    var faults: [String] { errors.map { "\($0["location"] ?? "?"): \($0["message"] ?? "?")" } }

    /// Whether this has the shape of problem details for `status`.
    func isProblem(_ status: Int) -> Bool {
        self.status == status && headers[.contentType] == "application/problem+json"
            && object["status"] as? Int == status && (object["title"] as? String)?.isEmpty == false
            && (object["detail"] as? String)?.isEmpty == false
    }
}

/// Keeps what is written to it.
final class Collector: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var writeCount = 0

    func write(_ buffer: ByteBuffer) {
        bytes += buffer.readableBytesView
        writeCount += 1
    }

    func finish(_ trailingHeaders: HTTPFields?) {}
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension NodeStatus {
    static let sample = NodeStatus(
        nodeName: "node-1", isReady: true, isSynced: true, isClusterMode: true, transport: "udp",
        members: [
            Member(name: "node-1", address: "127.0.0.1:7946", status: .alive, http: "127.0.0.1:8080"),
            Member(
                name: "node-2", address: "127.0.0.1:7947", status: .failed, http: nil,
                lastSeenMilliseconds: 1_767_323_045_678, lag: .milliseconds(1250)),
        ], todoCount: 3, fingerprint: "00ff")
}
