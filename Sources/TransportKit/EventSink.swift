internal import class Foundation.NSLock
public import Transport

/// Gathers what a plugin notices into `TransportEvent`s: refusals once per address and reason in a while, drops as
/// sums at most once a second.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
public final class EventSink: @unchecked Sendable {
    /// Most addresses that are remembered. When the table is full further addresses are only counted, so that spoofed
    /// senders cannot flood the log.
    public static let maxAddresses = 256
    /// Time after which the same refusal is reported again.
    public static let refusalInterval: Duration = .seconds(600)
    /// Time between two reports of drops.
    public static let dropInterval: Duration = .seconds(1)

    private struct RefusalKey: Hashable {
        var refusal: Refusal
        var address: PeerAddress
    }

    /// Where the events come out: what `Transport.events` gives.
    public let queue = BatchQueue<TransportEvent>(maxCount: 1_024)

    private let lock = NSLock()
    private var reportedAt: [RefusalKey: ContinuousClock.Instant] = [:]
    /// Those not reported yet, and all.
    private var drops: [DropCause: Int] = [:]
    private var allDrops: [DropCause: Int] = [:]
    private var allRefusals: [Refusal: Int] = [:]
    private var lastDropReport: ContinuousClock.Instant?

    /// With nothing to report.
    public init() {}

    /// Reports that something from `address` was turned away, unless that was reported lately. `isAnyPort`: the port is
    /// the sender's choice of the moment, so that the host alone counts.
    public func refused(_ refusal: Refusal, _ address: PeerAddress, isAnyPort: Bool = false) {
        let key = RefusalKey(refusal: refusal, address: isAnyPort ? address.with(port: 0) : address)
        let now = ContinuousClock.now
        let isNews = lock.withLock {
            allRefusals[refusal, default: 0] += 1
            if let last = reportedAt[key], now - last < Self.refusalInterval { return false }
            if reportedAt.count >= Self.maxAddresses {
                reportedAt = reportedAt.filter { now - $0.value < Self.refusalInterval }
            }
            guard reportedAt.count < Self.maxAddresses || reportedAt[key] != nil else { return false }
            reportedAt[key] = now
            return true
        }
        if isNews { queue.append(CollectionOfOne(.refused(refusal, address))) }
    }

    /// Counts drops. They are reported by the next `report`; `true` when nothing was waiting to be reported before, so
    /// that a report should be planned.
    @discardableResult
    public func dropped(_ cause: DropCause, count: Int = 1) -> Bool {
        guard count > 0 else { return false }
        return lock.withLock {
            defer {
                drops[cause, default: 0] += count
                allDrops[cause, default: 0] += count
            }
            return drops.isEmpty
        }
    }

    /// Everything since the start, for `Transport.stats`.
    public var totals: (drops: [DropCause: Int], refusals: [Refusal: Int]) {
        lock.withLock { (allDrops, allRefusals) }
    }

    /// When the counted drops may be reported; `nil` when there are none.
    public var reportDue: ContinuousClock.Instant? {
        lock.withLock {
            if drops.isEmpty { return nil }
            return lastDropReport.map { $0 + Self.dropInterval } ?? .now
        }
    }

    /// Reports the counted drops if they are due, or in any case where `isLast`.
    public func report(isLast: Bool = false) {
        let events: [TransportEvent] = lock.withLock {
            let now = ContinuousClock.now
            if drops.isEmpty { return [] }
            if !isLast, let last = lastDropReport, now - last < Self.dropInterval { return [] }
            lastDropReport = now
            defer { drops = [:] }
            return DropCause.allCases.compactMap { cause in drops[cause].map { .dropped(cause, count: $0) } }
        }
        queue.append(events)
    }
}
