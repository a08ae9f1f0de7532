internal import Foundation

/// A client that makes todos on one node at a steady pace, on a thread of its own.
///
/// `@unchecked Sendable`: all mutable state is touched under `condition` only.
final class SteadyWriter: @unchecked Sendable {
    private let port: UInt16
    private let interval: Double
    private let condition = NSCondition()
    private var isStopping = false
    private var isRunning = false
    private var count = 0

    init(port: UInt16, perSecond: Int) {
        self.port = port
        interval = 1 / Double(perSecond)
    }

    func start() throws(BenchmarkError) {
        let connection = try HTTPConnection(port: port, isWaiting: true)
        isRunning = true
        let handover = Handover(connection)
        Thread { [self] in run(handover.take()) }.start()
    }

    /// Ends it, and tells how many todos it has made.
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
                let answer = try? connection.ask(
                    HTTPRequestText.create("live-\(number)", "Buy groceries and cook dinner"))
                condition.lock()
                guard answer?.status == 201 else { break }
                number += 1
                count = number
                let next = start + Double(number) * interval
                while !isStopping, next > Date() { if !condition.wait(until: next) { break } }
            }
            isRunning = false
            condition.broadcast()
        }
    }

    /// Carries the connection to its thread.
    ///
    /// `@unchecked Sendable`: made before the thread, used by it alone.
    private final class Handover: @unchecked Sendable {
        private var connection: HTTPConnection

        init(_ connection: HTTPConnection) { self.connection = connection }

        func take() -> HTTPConnection { connection }
    }
}
