@testable import AutoClusterSync
import Foundation
import Runtime
import Testing
import Transport

/// A cluster on a network of its own, written to by clients while something goes wrong, and judged by what they know.
///
/// A scene lasts 4 s in the suite, as long as `AUTO_CLUSTER_SYNC_FAULT_SECONDS` says by hand. Its random choices follow
/// from a seed, which is told when it fails and can be set with `AUTO_CLUSTER_SYNC_FAULT_SEED`.
final class FaultScene {
    static let seconds = Double(setting("SECONDS") ?? "") ?? 4

    let cluster: TestCluster
    let network: TestNetwork
    var generator: SeededGenerator
    private let seed: UInt64
    private var ledger = WriteLedger()
    private var writeCount = 0
    /// Writes of which the clients do not know whether they happened.
    var unknownCount: Int { ledger.unknownCount }

    /// Starts the cluster. `disks` gives nodes a disk of their own.
    init(_ count: Int, transport: String, disks: [Int: TestDisk] = [:]) async throws {
        seed = Self.setting("SEED").flatMap { UInt64($0) } ?? .random(in: 0...UInt64(UInt32.max))
        generator = SeededGenerator(seed: seed)
        network = try TestNetwork(count)
        cluster = try TestCluster(count, transport: transport, network: network, disks: disks)
        try await cluster.startAll()
    }

    private static func setting(_ name: String) -> String? {
        ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_FAULT_\(name)"]
    }

    var nodes: Range<Int> { cluster.members.indices }

    /// Two clients write to each node as long as `body` runs.
    func underLoad(_ body: () async throws -> Void) async throws {
        try await telling {
            try await makeSharedKeys()
            let stop = AtomicFlag()
            let clients = nodes.flatMap { node in
                ["a", "b"].map { letter in
                    LoadClient(name: "n\(node + 1)\(letter)", node: cluster[node], seed: generator.next())
                }
            }
            ledger.add(
                try await withThrowingTaskGroup(of: WriteLedger.self) { group in
                    for var client in clients { group.addTask { await client.run(until: stop) } }
                    // Also when something is thrown: the group waits for its clients.
                    defer { stop.set() }
                    try await body()
                    stop.set()
                    return try await group.reduce(into: WriteLedger()) { $0.add($1) }
                })
        }
    }

    /// A write of the scene's own to a node, which the clients' rules hold for too.
    func write(to node: Int) async throws -> REST.Response {
        writeCount += 1
        let (key, text) = (LoadClient.sharedKeys[1], "scene wrote \(writeCount)")
        let begin = ContinuousClock.now
        let response = try await SingleRequest(
            node: cluster[node], method: "PUT", path: "/todos/by-extern-id/\(key)", json: ["todo": .text(text)]
        ).send()
        ledger.note(
            LoadClient.outcome(of: response), of: .update(text: text, isCompleted: nil), toShared: key, begin: begin,
            end: .now)
        return response
    }

    private func makeSharedKeys() async throws {
        for key in LoadClient.sharedKeys {
            let begin = ContinuousClock.now
            try await cluster[0].create(key, "at first")
            ledger.note(.acknowledged, of: .create("at first"), toShared: key, begin: begin, end: .now)
        }
        try await cluster.converged(count: LoadClient.sharedKeys.count, within: 10)
    }

    /// How long something goes on, not what it waits for.
    func pass(_ seconds: Double = FaultScene.seconds) async throws { try await Task.sleep(for: .seconds(seconds)) }

    /// All nodes run and agree on what the clients may expect.
    func settled(within seconds: Double) async throws {
        try await telling {
            let begin = ContinuousClock.now
            #expect(cluster.running.count == nodes.count, "a node has died")
            try await cluster.converged(within: seconds)
            for index in nodes {
                let faults = ledger.faults(in: try await cluster[index].todos())
                if !faults.isEmpty {
                    Issue.record("node-\(index + 1), seed \(seed): \(faults.prefix(10).joined(separator: "\n"))")
                }
            }
            #expect(ledger.acknowledgedCount > 20 * nodes.count, "no load, no test: seed \(seed)")
            print(
                "\(ledger.acknowledgedCount) writes acknowledged, \(ledger.unknownCount) unknown,",
                "\(ledger.refusedCount) refused; agreed after \(ContinuousClock.now - begin)")
        }
    }

    /// Runs `body`; when it fails, tells the seed.
    private func telling(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            Issue.record("seed \(seed): \(error)")
            throw error
        }
    }
}
