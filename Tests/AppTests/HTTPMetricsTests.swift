import CoreMetrics
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Prometheus
import Testing

@testable import AutoClusterSync

/// Requests as they are counted.
@Suite("Metrics of requests")
struct HTTPMetricsTests {
    private let registry = Registry(MetricFamilies.all)

    private func requests(_ operation: String, _ status: String) -> Double? {
        registry.value("http_requests_total{operation=\"\(operation)\",status=\"\(status)\"}")
    }

    @Test("Requests count by operation and status, HEAD as GET, and none is in flight afterwards")
    func byOperation() async throws {
        let fixture = RESTFixture(metrics: registry)
        #expect(requests("create-todo", "201") == 0 && requests("get-todo", "404") == 0)
        try await fixture.create("a")
        try await fixture.create("a")
        _ = try await fixture.get("/todos/1")
        _ = try await fixture.send(.head, "/todos/1")
        _ = try await fixture.get("/todos/99")
        _ = try await fixture.get("/todos/nine")
        _ = try await fixture.get("/nowhere")
        _ = try await fixture.send(.patch, "/todos")
        fixture.isReady.withLockedValue { $0 = false }
        _ = try await fixture.get("/todos")
        #expect(requests("create-todo", "201") == 1 && requests("create-todo", "409") == 1)
        #expect(requests("get-todo", "200") == 2 && requests("get-todo", "404") == 1)
        #expect(requests("get-todo", "422") == 1 && requests("list-todos", "503") == 1)
        #expect(requests("none", "404") == 1 && requests("none", "405") == 1)
        #expect(registry.value("http_request_duration_seconds_count{operation=\"get-todo\"}") == 4)
        #expect(registry.value("http_requests_in_flight") == 0)
    }

    @Test("A refusal for a token counts as one of the operation that was asked for, and as none where there is none")
    func tokens() async throws {
        let collector = MetricsCollector(registry, transport: nil) { NodeFigures() }
        let tokens = try AccessTokens([try #require(AccessToken("a-token-of-a-client"))])
        let fixture = RESTFixture(tokens: tokens, metrics: registry, furtherEndpoints: [collector.endpoint])
        let right = "Bearer a-token-of-a-client"
        #expect(requests("list-todos", "401") == 0 && requests("list-todos", "400") == 0)
        for fields in [[], ["Bearer wrong"], ["Basic x"], [right, right], [right]] {
            _ = try await fixture.send(.get, "/todos", bytes: nil, authorization: fields)
        }
        for path in ["/metrics", "/nowhere", "/health/ready"] { _ = try await fixture.get(path) }
        _ = try await fixture.send(.patch, "/todos")
        #expect(requests("list-todos", "401") == 3 && requests("list-todos", "400") == 1)
        #expect(requests("list-todos", "200") == 1 && requests("list-todos", "other") == 0)
        #expect(registry.value("http_request_duration_seconds_count{operation=\"list-todos\"}") == 5)
        #expect(requests("metrics", "401") == 1 && requests("health-ready", "401") == nil)
        #expect(requests("none", "401") == 2 && requests("none", "other") == 0)
    }

    @Test("What the connection has against a request is answered before anything else, and counts")
    func refusedByConnection() async throws {
        let fixture = RESTFixture(metrics: registry)
        fixture.isReady.withLockedValue { $0 = false }
        for path in ["/todos", "/nowhere"] {
            let head = HTTPRequest(method: .post, scheme: "https", authority: "test", path: path)
            let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
            let answer = try await fixture.responder.respond(to: request, refusal: .headersTooLarge)
            #expect(answer.status.code == 431 && answer.headers[.connection] == "close")
        }
        #expect(requests("create-todo", "431") == 1 && requests("none", "431") == 1)
    }

    @Test("A status that an operation does not document is counted as such, and no client makes a series")
    func bounded() async throws {
        let fixture = RESTFixture(metrics: registry)
        let before = registry.seriesCount
        let metrics = HTTPMetrics([.getTodo], registry)
        metrics.ended(metrics.began(), operation: "get-todo", status: 418)
        metrics.ended(metrics.began(), operation: "unknown", status: 299)
        for number in 0..<50 {
            let method = try #require(HTTPRequest.Method("M\(number)"))
            _ = try await fixture.send(method, "/\(number)")
            _ = try await fixture.send(method, "/todos/\(number)")
        }
        #expect(requests("get-todo", "other") == 1 && requests("none", "other") == 1)
        #expect(requests("none", "404") == 50 && requests("none", "405") == 50)
        #expect(registry.seriesCount == before)
        #expect(registry.value("prometheus_refused_series_total{cause=\"limit\"}") == 0)
    }

    @Test("A request whose connection breaks before its answer is not counted, and not in flight")
    func broken() {
        let metrics = HTTPMetrics([.getTodo], registry)
        let start = metrics.began()
        #expect(registry.value("http_requests_in_flight") == 1)
        metrics.ended(start, operation: "get-todo", status: nil)
        #expect(registry.value("http_requests_in_flight") == 0)
        #expect(registry.value("http_request_duration_seconds_count{operation=\"get-todo\"}") == 0)
    }

    @Test("The endpoint answers in the text format, also before the node is ready")
    func endpoint() async throws {
        let collector = MetricsCollector(registry, transport: "udp") { NodeFigures() }
        let fixture = RESTFixture(metrics: registry, furtherEndpoints: [collector.endpoint])
        fixture.isReady.withLockedValue { $0 = false }
        for count in 1...2 {
            let answer = try await fixture.get("/metrics")
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.text.hasPrefix("# HELP acs_build_info "))
            #expect(answer.text.contains("\nhttp_requests_in_flight 1\n"))
            #expect(requests("metrics", "200") == Double(count))
        }
        #expect(try await fixture.send(.post, "/metrics").status == 405)
    }

    @Test("Connections count while they are open")
    func connections() {
        let metrics = HTTPMetrics([], registry)
        var counted = metrics.counting(MaximumAvailableConnections(2, logger: .silent))
        #expect(counted.isAcceptingNewConnections())
        counted.connectionOpened()
        counted.connectionOpened()
        #expect(registry.value("http_connections") == 2 && !counted.isAcceptingNewConnections())
        counted.connectionClosed()
        #expect(registry.value("http_connections") == 1 && counted.isAcceptingNewConnections())
    }
}
