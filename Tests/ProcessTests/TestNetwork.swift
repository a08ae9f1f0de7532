import Foundation

/// Hosts with an address each behind one switch, which can stop to carry between some of them. Needs root.
///
/// Each host is a network namespace, and so is the switch, a bridge. The tests are plugged into it like a host and reach
/// all of them at all times. While two hosts are cut off from each other their packets vanish in the switch: no link goes
/// down, no address becomes unknown, nobody is told.
final class TestNetwork {
    /// Whether this machine lets the tests make one.
    static let isAvailable: Bool = {
        guard geteuid() == 0, let network = try? TestNetwork(2) else { return false }
        return (try? network.cut([0, 1])) != nil
    }()

    /// The address of each host.
    let hosts: [String]

    private let bridge: NetworkNamespace
    private let namespaces: [NetworkNamespace]

    init(_ count: Int) throws {
        // Addresses for measurements within one's own networks (RFC 2544); names of links have at most 15 characters.
        let subnet = "198.18.\(Int.random(in: 0..<256))"
        let plug = "acs\(UInt32.random(in: 0...0xff_ffff))"
        hosts = (0..<count).map { "\(subnet).\($0 + 1)" }
        bridge = try NetworkNamespace()
        namespaces = try (0..<count).map { _ in try NetworkNamespace() }

        try bridge.ip("link add bridge type bridge mcast_snooping 0")
        try bridge.ip("link set bridge up")
        for (index, namespace) in namespaces.enumerated() {
            try bridge.ip(
                "link add port\(index) type veth peer name host address \(Self.hardware(index)) netns \(namespace.pid)")
            try bridge.ip("link set port\(index) master bridge up")
            try namespace.ip("link set lo up")
            try namespace.ip("address add \(hosts[index])/24 dev host")
            try namespace.ip("link set host up")
            // Known for good: a host that cannot ask for an address would be told that there is no way.
            for other in hosts.indices where other != index {
                try namespace.ip(
                    "neighbour replace \(hosts[other]) lladdr \(Self.hardware(other)) nud permanent dev host")
            }
        }
        try NetworkNamespace.ip("link add \(plug) type veth peer name tests netns \(bridge.pid)")
        try NetworkNamespace.ip("address add \(subnet).254/24 dev \(plug)")
        try NetworkNamespace.ip("link set \(plug) up")
        try bridge.ip("link set tests master bridge up")
    }

    /// Becomes the command that follows it, on that host.
    func launcher(_ index: Int) -> [String] { namespaces[index].launcher }

    /// From now on none of these hosts reaches another of them. All others reach them, and they reach all others.
    func cut(_ indices: [Int]) throws {
        for index in indices { try bridge.ip("link set port\(index) type bridge_slave isolated on") }
    }

    /// All reach all.
    func heal() throws {
        for index in hosts.indices { try bridge.ip("link set port\(index) type bridge_slave isolated off") }
    }

    private static func hardware(_ index: Int) -> String { "02:00:00:00:01:0\(index)" }
}
