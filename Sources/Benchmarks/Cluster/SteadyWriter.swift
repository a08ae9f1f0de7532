internal import Foundation
internal import Runtime

/// A client that writes to one node at a steady pace, on a thread of its own.
///
/// `@unchecked Sendable`: all mutable state is touched under `condition` only.
final class SteadyWriter: @unchecked Sendable {
    private let port: UInt16
    private let interval: Double
    private let request: @Sendable (Int) -> [UInt8]
    private let condition = NSCondition()
    private var isStopping = false
    private var isRunning = false
    private var count = 0

    /// `request` makes the one with that number, from 0.
    init(port: UInt16, perSecond: Int, _ request: @escaping @Sendable (Int) -> [UInt8]) {
        self.port = port
        self.request = request
        interval = 1 / Double(perSecond)
    }

    func start() throws(BenchmarkError) {
        let connection = try HTTPConnection(port: port, isWaiting: true)
        let handover = Handover(connection)
        condition.withLock { isRunning = true }
        do throws(SystemThread.Refused) {
            try SystemThread.start("steady-writer") { [self] in run(handover.take()) }.detach()
        } catch {
            condition.withLock { isRunning = false }
            throw .failed(error.description)
        }
    }

    /// Ends it, and tells how many writes were acknowledged.
    func stop() -> Int {
        condition.withLock {
            isStopping = true
            condition.broadcast()
            while isRunning { condition.wait() }
            return count
        }
    }

    private func run(_ connection: HTTPConnection) {
        var number = 0
        let start = Date()
        condition.withLock {
            while !isStopping {
                condition.unlock()
                let answer = try? connection.ask(request(number))
                condition.lock()
                guard let answer, (200...299).contains(answer.status) else { break }
                number += 1
                count = number
                let next = start + Double(number) * interval
                while !isStopping, next > Date() { if !condition.wait(until: next) { break } }
            }
            isRunning = false
            condition.broadcast()
        }
    }
}
