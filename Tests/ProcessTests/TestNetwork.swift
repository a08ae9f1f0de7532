import Foundation

/// Hosts with an address each behind one switch, which can be made a bad one: see `TestNetwork+Faults`. Needs root.
///
/// Each host is a network namespace, and so is the switch, a bridge. The tests are plugged into it like a host and reach
/// all of them at all times: faults concern what hosts send to each other. Where one is cut off, packets vanish in the
/// switch: no link goes down, no address becomes unknown, nobody is told.
final class TestNetwork {
    /// Whether this machine lets the tests make one.
    static let isAvailable: Bool = {
        guard geteuid() == 0, let network = try? TestNetwork(2) else { return false }
        return (try? network.cut([0, 1])) != nil
    }()
    static let needs = "needs root, network namespaces and nft"

    /// The address of each host.
    let hosts: [String]

    /// Where the switch is, with a port for each host and one for the tests.
    let bridge: KernelNamespace
    static let testsPort = "tests"
    var ports: [String] { hosts.indices.map(Self.port) }
    /// Carries instead of the bridge while there is a delay.
    var delayingSwitch: Companion?
    var isThin = false

    private let namespaces: [KernelNamespace]

    init(_ count: Int) throws {
        // Addresses for measurements within one's own networks (RFC 2544); names of links have at most 15 characters.
        let subnet = "198.18.\(Int.random(in: 0..<256))"
        let plug = "acs\(UInt32.random(in: 0...0xff_ffff))"
        hosts = (0..<count).map { "\(subnet).\($0 + 1)" }
        bridge = try KernelNamespace(.network)
        namespaces = try (0..<count).map { _ in try KernelNamespace(.network) }

        try bridge.run("ip link add bridge type bridge mcast_snooping 0")
        try bridge.run("ip link set bridge up")
        for (index, namespace) in namespaces.enumerated() {
            let port = Self.port(index)
            try bridge.run(
                "ip link add \(port) type veth peer name host address \(Self.hardware(index)) netns \(namespace.pid)")
            try bridge.run("ip link set \(port) master bridge up")
            try namespace.run("ip link set lo up")
            try namespace.run("ip address add \(hosts[index])/24 dev host")
            try namespace.run("ip link set host up")
            // Known for good: a host that cannot ask for an address would be told that there is no way.
            for other in hosts.indices where other != index {
                try namespace.run(
                    "ip neighbour replace \(hosts[other]) lladdr \(Self.hardware(other)) nud permanent dev host")
            }
        }
        try KernelNamespace.runOutside("ip link add \(plug) type veth peer name \(Self.testsPort) netns \(bridge.pid)")
        try KernelNamespace.runOutside("ip address add \(subnet).254/24 dev \(plug)")
        try KernelNamespace.runOutside("ip link set \(plug) up")
        try bridge.run("ip link set \(Self.testsPort) master bridge up")
        try bridge.run("nft add table bridge faults")
        try bridge.run("nft add chain bridge faults forward { type filter hook forward priority 0 ; }")
    }

    /// Becomes the command that follows it, on that host.
    func launcher(_ index: Int) -> [String] { namespaces[index].launcher }

    static func port(_ index: Int) -> String { "port\(index)" }
    private static func hardware(_ index: Int) -> String { "02:00:00:00:01:0\(index)" }
}
