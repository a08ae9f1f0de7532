internal import Foundation
package import Runtime

/// Many seeds over all cores. What is printed of a seed does not depend on how many cores there are: results come in the
/// order of the seeds.
package enum Campaign {
    /// Runs `seeds`, and gives each result to `report` in their order, as soon as those before it are there. `report`
    /// says whether to go on.
    ///
    /// Blocks the calling thread; the runs have threads of their own. Throws where one of them cannot be started; those that
    /// were end with their runs.
    package static func run(
        _ seeds: ClosedRange<UInt64>, plan: @escaping @Sendable (UInt64) -> Run.Plan, threadCount: Int,
        report: (Run.Result) -> Bool
    ) throws(SystemThread.Refused) {
        let state = State(seeds: seeds)
        for _ in 0..<max(1, threadCount) {
            do throws(SystemThread.Refused) {
                // Engines recurse little; walks over large stores some.
                try SystemThread.start("simulation", stackBytes: 16 << 20) {
                    while let seed = state.next() { state.finish(Run.result(of: plan(seed), seed: seed)) }
                }.detach()
            } catch {
                state.stop()
                throw error
            }
        }
        while let result = state.takeResult() {
            if !report(result) { state.stop() }
        }
    }

    /// `@unchecked Sendable`: all state is touched with `condition` locked only.
    private final class State: @unchecked Sendable {
        private let condition = NSCondition()
        private let last: UInt64
        private var upcoming: UInt64?
        private var wanted: UInt64?
        private var results: [UInt64: Run.Result] = [:]

        init(seeds: ClosedRange<UInt64>) {
            upcoming = seeds.lowerBound
            wanted = seeds.lowerBound
            last = seeds.upperBound
        }

        func next() -> UInt64? {
            condition.withLock {
                // Not further ahead of the slowest than memory is worth.
                while let seed = upcoming, let wanted, seed - wanted > 1_000 { condition.wait() }
                guard let seed = upcoming else { return nil }
                upcoming = seed == last ? nil : seed + 1
                return seed
            }
        }

        func finish(_ result: Run.Result) {
            condition.withLock {
                results[result.seed] = result
                condition.broadcast()
            }
        }

        func takeResult() -> Run.Result? {
            condition.withLock {
                guard let seed = wanted else { return nil }
                while results[seed] == nil {
                    if wanted == nil { return nil }
                    condition.wait()
                }
                defer {
                    wanted = seed == last ? nil : seed + 1
                    condition.broadcast()
                }
                return results.removeValue(forKey: seed)
            }
        }

        func stop() {
            condition.withLock {
                upcoming = nil
                wanted = nil
                condition.broadcast()
            }
        }
    }
}
