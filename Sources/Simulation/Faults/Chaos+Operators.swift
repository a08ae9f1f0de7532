internal import Membership
internal import Transport

/// What operators and machines do to nodes: other names, other addresses, disks that are gone, nodes that nobody replaces.
extension Chaos {
    private static let restart: ClosedRange<Duration> = .zero...(.seconds(2))

    /// A node is started under another name, with its database and at its address; later under its first one, or a third.
    func rename(_ world: World) {
        let node = world.nodes[world.pick(0..<world.nodes.count)]
        rename(node, in: world)
        world.perform(in: world.generator.duration(in: faults.downTime) + .seconds(2)) { world in
            rename(node, in: world)
        }
    }

    private func rename(_ node: SimulatedNode, in world: World) {
        guard let process = node.process, !process.isLeaving else { return }
        world.kill(node.index)
        let name = node.name
        node.rename(isBack: world.chance(0.5))
        world.say("\(name) is \(node.name) from now on")
        world.perform(in: world.generator.duration(in: Self.restart)) { $0.start(node.index) }
    }

    /// Two nodes are started at each other's addresses.
    func swapAddresses(_ world: World) {
        let (first, second) = pair(world)
        guard first != second, world.canMove(first), world.canMove(second), world.hasSeed(besides: [first, second])
        else {
            return
        }
        world.swapNodes(first, second)
        for index in [first, second] {
            world.perform(in: world.generator.duration(in: Self.restart)) { $0.start(index) }
        }
    }

    /// A process dies with its disk. It starts empty.
    func loseDisk(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        guard world.hasSeed(besides: [index]) else { return }
        world.discardDatabase(of: index, for: nil)
        world.perform(in: world.generator.duration(in: faults.downTime)) { $0.start(index) }
    }

    /// A node is gone without a farewell, and nobody takes its place. Two stay, and a seed.
    func goForGood(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        let others = world.present.filter { $0.index != index }
        guard others.count >= 2, others.contains(where: { world.isSeed($0.index) }), !world.nodes[index].isGone else {
            return
        }
        world.goForGood(index)
    }

    /// All seeds go for good, once the others know each other, of which two stay.
    func loseSeeds(_ world: World) {
        world.perform(in: .seconds(2)) { world in
            for index in 0..<min(World.seedCount, world.nodes.count - 2) { world.goForGood(index) }
        }
    }

    /// A node starts while it reaches nobody, until it has stopped waiting for others. It may have lost its disk before.
    func startAlone(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        let time =
            world.membershipConfiguration.joining.joinTimeout
            + world.generator.duration(in: .seconds(1)...(.seconds(8)))
        cut(world.nodes.indices.filter { $0 != index }.flatMap { [($0, index), (index, $0)] }, for: time, in: world)
        if world.chance(0.3), world.hasSeed(besides: [index]) {
            world.discardDatabase(of: index, for: nil)
        } else {
            world.kill(index)
        }
        world.start(index)
    }

    /// The target is stopped and started on a copy of the source's database. Nobody is to write to both: the operator
    /// gives the target a new one soon.
    func copyDatabase(_ world: World) {
        let (source, target) = pair(world)
        guard source != target else { return }
        world.discardDatabase(of: target, for: nil)
        world.nodes[target].replica = world.nodes[source].replica.copy(seed: world.diskGenerator.next())
        world.nodes[target].isCopy = true
        world.start(target)
        world.perform(in: world.generator.duration(in: faults.downTime)) { world in
            if world.nodes[target].isCopy { world.replaceCopy(target) }
        }
    }

    func restoreBackup(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        let node = world.nodes[index]
        guard !node.isCopy else { return }
        let backup = node.replica.copy(seed: world.diskGenerator.next())
        let (id, isDamaged) = (node.nodeID, node.disk.isDamaged)
        world.perform(in: world.generator.duration(in: faults.downTime)) { world in
            guard node.nodeID == id, !node.isCopy else { return }
            world.discardDatabase(of: index, for: backup)
            node.disk.isDamaged = isDamaged
            world.start(index)
        }
    }
}

extension World {
    /// Those that nobody has taken away for good.
    var present: [SimulatedNode] { nodes.filter { !$0.isGone } }

    /// Where all know of each other by their memory alone, that and the addresses in it are what they have.
    fileprivate func hasSeed(besides indices: [Int]) -> Bool {
        present.contains { isSeed($0.index) && !indices.contains($0.index) }
    }

    fileprivate func goForGood(_ index: Int) {
        say("\(nodes[index].name) is gone for good")
        discardDatabase(of: index, for: nil)
        nodes[index].isGone = true
    }

    /// Nothing is under way or wrong that belongs to its database and is undone at its address.
    fileprivate func canMove(_ index: Int) -> Bool {
        let (node, disk) = (nodes[index], nodes[index].disk)
        guard let process = node.process, !process.isLeaving else { return false }
        return !node.isCopy && !disk.isFull && !disk.isFailing && !disk.isDamaged && !disk.isSpoilt
    }

    /// Names and databases change hosts. Addresses and wall clocks stay.
    fileprivate func swapNodes(_ first: Int, _ second: Int) {
        let (one, other) = (nodes[first], nodes[second])
        say("\(one.name) and \(other.name) change places")
        kill(first)
        kill(second)
        one.swapContents(with: other)
        (lastTimes[first], lastTimes[second]) = (lastTimes[second], lastTimes[first])
        (lastStarts[first], lastStarts[second]) = (lastStarts[second], lastStarts[first])
    }
}
