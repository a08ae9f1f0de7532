import Membership
@testable import Simulation
import Testing
import Transport

/// A cluster that is whole and open, before anything happens.
func started(
    _ count: Int, _ transport: TransportKind, seed: UInt64 = 1, faults: String = "none", rate: [String: Double] = [:],
    membership: MembershipConfiguration = MembershipConfiguration()
) -> World {
    var options = WorldOptions()
    options.nodeCount = count
    options.transport = transport
    options.membership = membership
    options.faults = Faults.presets[faults] ?? Faults()
    for (name, value) in rate {
        if let path = Faults.rates[name] { options.faults[keyPath: path] = value }
    }
    let world = World(options, seed: seed)
    for index in 0..<count { world.perform(in: .milliseconds(20 * index)) { $0.start(index) } }
    #expect(world.reach(within: .seconds(40)) { $0.isWhole && $0.areReady })
    world.run(until: world.now + .seconds(1))
    return world
}

extension World {
    /// Runs until the condition holds; `false` when it does not in time.
    func reach(
        within limit: Duration, every step: Duration = .milliseconds(10), _ condition: (World) -> Bool
    ) -> Bool {
        let end = now + limit
        while now < end {
            if condition(self) { return true }
            run(until: now + step)
        }
        return condition(self)
    }

    /// Nothing passes between the nodes of `side` and the others, until `mend(_:)`.
    func cut(_ side: Set<Int>) { forPairs(across: side) { network.cut($0, $1) } }

    /// Ends `cut(_:)`.
    func mend(_ side: Set<Int>) { forPairs(across: side) { network.mend($0, $1, at: now) } }

    private func forPairs(across side: Set<Int>, _ body: (Int, Int) -> Void) {
        for from in nodes.indices {
            for to in nodes.indices where side.contains(from) != side.contains(to) { body(from, to) }
        }
    }
}
