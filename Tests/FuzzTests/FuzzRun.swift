import Foundation
import TestSupport
import Transport

/// Tries one target with its inputs, one after another. An input follows from target, seed and index alone.
struct FuzzRun {
    /// Most processor time of one input. The slowest takes a few milliseconds in a debug build; what grows with the
    /// square of its input shows at 64 KiB.
    static let slowest: Duration = .milliseconds(500)
    /// Faults that are reported before a target is given up.
    static let maxFaults = 5

    let target: FuzzTarget
    let plan: FuzzPlan
    private let samples: [[UInt8]]

    /// What went wrong, each with the command that shows it again.
    private(set) var faults: [String] = []
    private var slowestInput = (time: Duration.zero, index: 0)

    init(_ target: FuzzTarget, _ plan: FuzzPlan) throws {
        self.target = target
        self.plan = plan
        var random = RandomValues(seed: plan.seed)
        samples = try target.samples(&random)
    }

    mutating func run() throws {
        let start = Self.processorTime
        let (name, seed) = (target.name, plan.seed)
        let trace = try FuzzTrace(name, seed: seed)
        // A sample that is not even checked would make the whole target worthless.
        for (index, sample) in samples.enumerated() { tryInput(sample, "sample \(index)") }
        for index in plan.first..<(plan.first + plan.inputs) where faults.count < Self.maxFaults {
            trace.note(index)
            let time = Self.processorTime
            tryInput(input(index), FuzzPlan.replay(name, seed: seed, index: index))
            let taken = Self.processorTime - time
            if taken > slowestInput.time { slowestInput = (taken, index) }
        }
        if slowestInput.time > Self.slowest {
            let replay = FuzzPlan.replay(name, seed: seed, index: slowestInput.index)
            faults.append("took \(slowestInput.time): \(replay)")
        }
        guard plan.isVerbose else { return }
        let total = Self.processorTime - start
        print(
            "\(target.name): \(plan.inputs) inputs in \(total), slowest \(slowestInput.time) at \(slowestInput.index)")
    }

    func input(_ index: Int) -> [UInt8] {
        var name = target.name.utf8.reduce(0 as UInt64) { $0 &* 31 &+ UInt64($1) }
        name ^= plan.seed &* 0x9e37_79b9_7f4a_7c15
        var mutator = Mutator(
            seed: name &+ UInt64(index) &* 0xd134_2543_de82_ef95, samples: samples, tokens: target.tokens)
        return mutator.next()
    }

    private mutating func tryInput(_ input: [UInt8], _ place: @autoclosure () -> String) {
        do {
            try target.check(input)
        } catch {
            let shown = input.prefix(200).map { String($0, radix: 16) }.joined(separator: " ")
            // Quoted, since the text may hold anything.
            faults.append("\("\(error)".debugDescription): \(place()): \(input.count) bytes: \(shown)")
        }
    }

    /// Of this thread, so that a busy machine makes nothing slow.
    private static var processorTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
