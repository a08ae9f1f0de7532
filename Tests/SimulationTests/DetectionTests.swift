@testable import Simulation
import Testing
import Transport

/// What membership promises of failure detection, with the service's engines, gossip and codecs.
@Suite("Failure detection in virtual time")
struct DetectionTests {
    @Test(
        "In clusters of 2 to 5 a crash is suspected by all within 2 s and failed within 5 s, and nobody else ever",
        arguments: 2...5, TransportKind.allCases)
    func smallClusterCrash(count: Int, transport: TransportKind) {
        for seed: UInt64 in 1...30 {
            let world = observed(count, transport, seed)
            let crash = world.now
            world.kill(0)
            world.run(until: crash + .seconds(20))
            let suspected = world.suspicions
            #expect(Set(suspected.map(\.observer)) == Set(1..<count), "seed \(seed)")
            #expect(suspected.allSatisfy { $0.member == 0 && $0.at - crash <= .milliseconds(2_000) }, "seed \(seed)")
            let failed = world.failures
            #expect(failed.count == count - 1, "seed \(seed)")
            #expect(failed.allSatisfy { $0.member == 0 && $0.at - crash <= .milliseconds(5_000) }, "seed \(seed)")
        }
    }

    @Test(
        "In clusters of 3 to 5 any number of crashes at once is failed within 5 s for all survivors",
        arguments: [(3, 2), (4, 2), (4, 3), (5, 2), (5, 3), (5, 4)])
    func crashesAtOnce(count: Int, crashes: Int) {
        for seed: UInt64 in 1...60 {
            let world = observed(count, seed % 2 == 0 ? .udp : .zmq, seed)
            let crash = world.now
            for index in 0..<crashes { world.kill(index) }
            world.run(until: crash + .seconds(20))
            let failed = world.failures
            for observer in crashes..<count {
                #expect(
                    Set(failed.filter { $0.observer == observer }.map(\.member)) == Set(0..<crashes), "seed \(seed)")
            }
            #expect(failed.count == crashes * (count - crashes), "seed \(seed)")
            #expect(failed.allSatisfy { $0.at - crash <= .milliseconds(5_000) }, "seed \(seed)")
        }
    }

    @Test(
        "A crash is failed within 5 s for all survivors, also where another node comes or comes back in that moment",
        arguments: [3, 4, 5], TransportKind.allCases)
    func crashAndArrival(count: Int, transport: TransportKind) {
        for seed: UInt64 in 1...20 {
            let world = started(count, transport, seed: seed)
            let last = count - 1
            // Away for so long that it is known to be gone, or for a moment.
            world.kill(last)
            if seed % 2 == 0 { world.run(until: world.now + .seconds(15)) }
            world.run(until: world.now + .milliseconds(seed * 37))
            world.verdicts = []
            let crash = world.now
            world.perform(in: .milliseconds(seed * 70)) { $0.start(last) }
            world.kill(0)
            world.run(until: crash + .seconds(20))
            let failed = world.failures.filter { $0.member == 0 && $0.observer != last }
            #expect(failed.count == count - 2, "seed \(seed)")
            let latest = failed.map { $0.at - crash }.max() ?? .zero
            #expect(latest <= .milliseconds(5_000), "seed \(seed): \(latest)")
        }
    }

    @Test(
        "A member that stands still for 3 s is never declared failed, nor accuses others, also with 2 % loss",
        arguments: 2...5)
    func pausedMember(count: Int) {
        for seed: UInt64 in 1...60 {
            let world = observed(count, seed % 2 == 0 ? .udp : .zmq, seed, loss: 0.02)
            world.pause(0, for: .seconds(3))
            world.run(until: world.now + .seconds(25))
            #expect(world.failures.isEmpty, "seed \(seed)")
            #expect(world.suspicions.allSatisfy { $0.member == 0 || $0.observer != 0 }, "seed \(seed)")
            #expect(world.isWhole, "seed \(seed)")
        }
    }

    @Test("With 2 % loss nobody is declared failed in an hour of a cluster of five")
    func lossyHour() {
        let world = observed(5, .udp, 7, loss: 0.02)
        world.run(until: world.now + .seconds(3_600))
        #expect(world.failures.isEmpty)
    }

    /// The bound: at two probes of the dead member a second all in all, none in 3 s is a matter of e^-6; the probe takes
    /// 0.5 s; the suspicion 4 x log10(64) x 0.5 s = 3.6 s, the two confirmations coming within it; and 1 s for the news.
    @Test("Of 64 members with 1 % loss a crashed one is failed for all others within 8.1 s, and no other ever")
    func largeCluster() {
        let world = observed(64, .udp, 10, loss: 0.01)
        let crash = world.now
        world.kill(0)
        #expect(world.reach(within: .milliseconds(8_100), every: .milliseconds(50)) { $0.failures.count >= 63 })
        #expect(world.failures.count == 63)
        #expect(world.failures.allSatisfy { $0.member == 0 && $0.at - crash <= .milliseconds(8_100) })
        #expect(world.suspicions.allSatisfy { $0.member == 0 })
    }

    /// A cluster in the midst of its life, at another moment for each seed, whose verdicts are noted from here on.
    private func observed(_ count: Int, _ transport: TransportKind, _ seed: UInt64, loss: Double = 0) -> World {
        let world = started(count, transport, seed: seed, rate: ["loss": loss])
        world.run(until: world.now + .milliseconds(seed * 37))
        world.verdicts = []
        return world
    }
}

extension World {
    fileprivate var suspicions: [Verdict] { (verdicts ?? []).filter { !$0.hasFailed } }
    fileprivate var failures: [Verdict] { (verdicts ?? []).filter(\.hasFailed) }
}
