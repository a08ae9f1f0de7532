internal import CoreMetrics
internal import Hummingbird
internal import HummingbirdCore
internal import Transport

/// Counts requests, by operation and status, and their time. The labels are what the operations document, whatever a
/// client sends.
final class HTTPMetrics: Sendable {
    /// One operation's series, made beforehand.
    private struct OfOperation: Sendable {
        let byStatus: [(status: Int, count: Counter)]
        let other: Counter
        let duration: CoreMetrics.Timer

        init(_ id: String, _ statuses: Set<Int>, _ factory: any MetricsFactory) {
            func counter(_ status: String) -> Counter {
                Counter(
                    label: MetricName.requests, dimensions: [("operation", id), ("status", status)], factory: factory)
            }
            byStatus = statuses.sorted().map { ($0, counter(String($0))) }
            other = counter("other")
            duration = CoreMetrics.Timer(
                label: MetricName.requestDuration, dimensions: [("operation", id)], factory: factory)
        }
    }

    private let operations: [String: OfOperation]
    private let none: OfOperation
    private let inFlight: Meter
    private let connections: Meter

    /// All series are there at zero from now on. `wantsToken`: whether the node asks for one.
    init(_ operations: [Operation], wantsToken: Bool = false, _ factory: any MetricsFactory) {
        self.operations = Dictionary(
            operations.map { ($0.id, OfOperation($0.id, $0.possibleStatuses(wantsToken: wantsToken), factory)) },
            uniquingKeysWith: { first, _ in first })
        none = OfOperation("none", [400, 401, 404, 405, 431], factory)
        inFlight = Meter(label: MetricName.requestsInFlight, factory: factory)
        connections = Meter(label: MetricName.connections, factory: factory)
    }

    /// A request has begun; `ended` with what this gives must follow.
    func began() -> ContinuousClock.Instant {
        inFlight.increment()
        return .now
    }

    /// It has its answer, or never will, `status` being `nil`. `operation` is empty where none was found.
    func ended(_ start: ContinuousClock.Instant, operation id: String, status: Int?) {
        inFlight.decrement()
        guard let status else { return }
        let operation = operations[id] ?? none
        (operation.byStatus.first { $0.status == status }?.count ?? operation.other).increment()
        operation.duration.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
    }

    /// What counts the connections that `limit` lets in.
    func counting(_ limit: MaximumAvailableConnections) -> any AvailableConnectionsDelegate {
        CountedConnections(limit: limit, count: connections)
    }
}

/// Bounds connections as `limit` does, and tells how many there are.
private struct CountedConnections: AvailableConnectionsDelegate {
    var limit: MaximumAvailableConnections
    let count: Meter

    mutating func connectionOpened() {
        limit.connectionOpened()
        count.increment()
    }

    mutating func connectionClosed() {
        limit.connectionClosed()
        count.decrement()
    }

    func isAcceptingNewConnections() -> Bool { limit.isAcceptingNewConnections() }
}

extension Operation {
    /// Every status that it documents, and what an HTTP/2 connection has against a request, which concerns them all.
    fileprivate func possibleStatuses(wantsToken: Bool) -> Set<Int> {
        let problems = problems(limits: HTTPLimits(), wantsToken: wantsToken) + [.headersTooLarge]
        return Set([answer.status.code] + problems.map(\.status.code) + (isConditional && isRead ? [304] : []))
    }
}
