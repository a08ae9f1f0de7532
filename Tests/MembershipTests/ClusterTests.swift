import Membership
import Testing
import Transport

@Suite("Clusters in virtual time")
struct ClusterTests {
    func failures(_ cluster: VirtualCluster) -> [(observer: Int, name: String, at: EngineInstant)] {
        cluster.observations.compactMap { observation in
            if case .memberFailed(let member, _) = observation.event {
                (observation.observer, member.name, observation.at)
            } else {
                nil
            }
        }
    }

    func suspicions(_ cluster: VirtualCluster) -> [(observer: Int, name: String, at: EngineInstant)] {
        cluster.observations.compactMap { observation in
            if case .memberSuspected(let member, _) = observation.event {
                (observation.observer, member.name, observation.at)
            } else {
                nil
            }
        }
    }

    @Test(
        "In clusters of 2 to 5 a crash is suspected by all within 2 s and failed within 5 s, and nobody else ever",
        arguments: 2...5)
    func smallClusterCrash(count: Int) {
        for seed: UInt64 in 1...60 {
            let cluster = VirtualCluster(count: count, isJoined: true, seed: seed)
            let crash = milliseconds(3_000 + seed * 37)
            cluster.run(to: crash)
            cluster.crash(0)
            cluster.run(to: crash + .seconds(20))
            let suspected = suspicions(cluster)
            #expect(Set(suspected.map(\.observer)) == Set(1..<count), "seed \(seed)")
            #expect(
                suspected.allSatisfy { $0.name == "node-0" && $0.at - crash <= .milliseconds(2_000) }, "seed \(seed)")
            let failed = failures(cluster)
            #expect(failed.count == count - 1, "seed \(seed)")
            #expect(failed.allSatisfy { $0.name == "node-0" && $0.at - crash <= .milliseconds(5_000) }, "seed \(seed)")
        }
    }

    @Test(
        "In clusters of 3 to 5 any number of crashes at once is failed within 5 s for all survivors",
        arguments: [(3, 2), (4, 2), (4, 3), (5, 2), (5, 3), (5, 4)])
    func crashesAtOnce(count: Int, crashes: Int) {
        for seed: UInt64 in 1...100 {
            let cluster = VirtualCluster(count: count, isJoined: true, seed: seed)
            let crash = milliseconds(3_000 + seed * 37)
            cluster.run(to: crash)
            for index in 0..<crashes { cluster.crash(index) }
            cluster.run(to: crash + .seconds(20))
            let dead = Set((0..<crashes).map(VirtualCluster.name))
            let failed = failures(cluster)
            for observer in crashes..<count {
                #expect(Set(failed.filter { $0.observer == observer }.map(\.name)) == dead, "seed \(seed)")
            }
            #expect(failed.count == crashes * (count - crashes), "seed \(seed)")
            let latest = failed.map { $0.at - crash }.max() ?? .zero
            #expect(latest <= .milliseconds(5_000), "seed \(seed)")
        }
    }

    @Test(
        "A member that stands still for 3 s is never declared failed, nor accuses others, also with 2 % loss",
        arguments: 2...5)
    func pausedMember(count: Int) {
        for seed: UInt64 in 1...60 {
            let cluster = VirtualCluster(count: count, isJoined: true, lossPercent: 2, seed: seed)
            let pause = milliseconds(3_000 + seed * 41)
            cluster.run(to: pause)
            cluster.pause(0, for: .seconds(3))
            cluster.run(to: pause + .seconds(25))
            #expect(failures(cluster).isEmpty, "seed \(seed)")
            #expect(suspicions(cluster).allSatisfy { $0.name == "node-0" || $0.observer != 0 }, "seed \(seed)")
            for index in 0..<count {
                #expect(cluster.engine(index).members.allSatisfy { $0.status == .alive }, "seed \(seed)")
            }
        }
    }

    @Test("With 2 % loss nobody is declared failed in an hour of a cluster of five")
    func lossyHour() {
        let cluster = VirtualCluster(count: 5, isJoined: true, lossPercent: 2, seed: 7)
        cluster.run(to: .zero + .seconds(3_600))
        #expect(failures(cluster).isEmpty)
    }

    /// The news of a joiner goes at once to a few random members, and from each to whom it is news again. For about
    /// four of five seeds that reaches all; else the next gossip ticks do.
    @Test("Ten nodes with one seed find each other; a joiner is confirmed by all within 30 ms of its push/pull, mostly")
    func joining() {
        var quickCount = 0
        for seed: UInt64 in 1...30 {
            let cluster = VirtualCluster(count: 11, isJoined: false, seed: seed)
            for index in 0..<10 { cluster.input(index) { $0.join(seeds: ["10.0.0.1:7946"], at: $1) } }
            cluster.run(to: milliseconds(3_000))
            for index in 0..<10 {
                #expect(
                    cluster.engine(index).members.map(\.isConfirmed) == Array(repeating: true, count: 10),
                    "seed \(seed)"
                )
            }
            let decisions = cluster.observations.compactMap {
                if case .startDecided(let decision) = $0.event { decision } else { nil }
            }
            #expect(decisions.count == 10)
            #expect(decisions.count { $0 == .first } == 1)
            cluster.input(10) { $0.join(seeds: ["10.0.0.4:7946"], at: $1) }
            cluster.run(to: milliseconds(3_030))
            func isKnownToAll() -> Bool {
                (0..<10).allSatisfy { cluster.engine($0).member(named: "node-10")?.isConfirmed == true }
            }
            if isKnownToAll() { quickCount += 1 }
            cluster.run(to: milliseconds(3_500))
            #expect(isKnownToAll(), "seed \(seed)")
            #expect(cluster.engine(10).clusterSize == 11, "seed \(seed)")
        }
        #expect(quickCount >= 20, "\(quickCount) of 30")
    }

    @Test("Two clusters that never knew each other merge when one node knows a seed of the other")
    func merging() {
        let cluster = VirtualCluster(count: 6, isJoined: false, seed: 6)
        for index in 0..<3 { cluster.input(index) { $0.join(seeds: ["10.0.0.1:7946"], at: $1) } }
        for index in 3..<6 { cluster.input(index) { $0.join(seeds: ["10.0.0.4:7946"], at: $1) } }
        cluster.run(to: milliseconds(2_000))
        #expect((0..<6).map { cluster.engine($0).clusterSize } == [3, 3, 3, 3, 3, 3])
        cluster.input(5) { $0.addSeeds(["10.0.0.2:7946"], at: $1) }
        cluster.run(to: milliseconds(3_000))
        #expect((0..<6).map { cluster.engine($0).clusterSize } == [6, 6, 6, 6, 6, 6])
    }

    @Test("A restarted node is alive again for all within a second, though its first incarnation is outdated")
    func restart() {
        let cluster = VirtualCluster(count: 4, isJoined: true, seed: 8)
        cluster.run(to: milliseconds(2_000))
        cluster.crash(3)
        cluster.run(to: milliseconds(12_000))
        #expect(cluster.engine(0).status(of: "node-3") == .failed)
        cluster.restart(3)
        cluster.input(3) { $0.join(seeds: ["10.0.0.1:7946", "10.0.0.2:7946"], at: $1) }
        cluster.run(to: milliseconds(13_000))
        for index in 0..<3 { #expect(cluster.engine(index).status(of: "node-3") == .alive) }
        #expect(cluster.engine(3).clusterSize == 4)
        #expect(cluster.engine(3).incarnation > 1)
    }

    @Test(
        "A cluster that was cut in two for 30 s is whole again within 4 s of healing, and stays so",
        arguments: [(2, 1), (3, 1), (4, 2), (5, 2)])
    func healing(count: Int, firstSide: Int) {
        for seed: UInt64 in 1...20 {
            let cluster = VirtualCluster(count: count, isJoined: true, seed: seed)
            cluster.run(to: milliseconds(2_000))
            cluster.split { $0 < firstSide }
            // At any moment of the dials that are under way.
            let healed = milliseconds(32_000 + seed * 197)
            cluster.run(to: healed)
            for index in 0..<count {
                let side = index < firstSide ? firstSide : count - firstSide
                #expect(cluster.engine(index).clusterSize == side, "seed \(seed)")
            }
            cluster.split { _ in true }
            for limit in [4, 30] {
                cluster.run(to: healed + .seconds(limit))
                for index in 0..<count {
                    #expect(cluster.engine(index).clusterSize == count, "seed \(seed), node \(index), \(limit) s")
                    #expect(cluster.engine(index).members.allSatisfy { $0.status == .alive }, "seed \(seed)")
                }
            }
        }
    }

    /// The bound: at two probes of the dead member a second all in all, none in 3 s is a matter of e^-6; the probe takes
    /// 0.5 s; the suspicion 4 x log10(1000) x 0.5 s = 6 s, the two confirmations coming within it; and 1 s for the news.
    @Test("Of 1,000 members with 1 % loss a crashed one is failed for all others within 10.5 s, and no other ever")
    func thousandMembers() {
        let cluster = VirtualCluster(count: 1_000, isJoined: true, lossPercent: 1, seed: 10)
        cluster.run(to: milliseconds(2_000))
        cluster.crash(0)
        cluster.run(to: milliseconds(14_000)) { failures(cluster).count >= 999 }
        let failed = failures(cluster)
        #expect(failed.count == 999)
        #expect(failed.allSatisfy { $0.name == "node-0" })
        #expect(failed.allSatisfy { $0.at <= milliseconds(2_000 + 10_500) })
        #expect(suspicions(cluster).allSatisfy { $0.name == "node-0" })
    }
}
