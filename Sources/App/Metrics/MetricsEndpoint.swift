internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Prometheus

extension Operation {
    static let metrics = Operation(
        id: "metrics", method: .get, path: "/metrics", tag: .service, summary: "Metrics for Prometheus",
        answer: Answer(status: .ok, note: "All metrics, in Prometheus' text format 0.0.4."), isAlwaysServed: true)
}

extension MetricsCollector {
    /// `GET /metrics`.
    nonisolated var endpoint: Endpoint {
        Endpoint(operation: .metrics) { _ in
            let text = await self.scrape()
            return Response(
                status: .ok, headers: [.contentType: TextFormat.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
        }
    }
}
