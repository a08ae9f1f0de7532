import Foundation

/// What the switch can do to packets from host to host. Faults add up until `heal`.
///
/// By firewall rules, a token bucket and a switch of our own: many kernels are built without netem, which could do it all.
extension TestNetwork {
    /// From now on none of these hosts reaches another of them. All others reach them, and they reach all others.
    func cut(_ indices: [Int]) throws {
        for sender in indices {
            for receiver in indices where sender != receiver { try block(from: sender, to: receiver) }
        }
    }

    /// From now on no host of one side reaches one of the other.
    func split(_ side: [Int], from otherSide: [Int]) throws {
        for one in side {
            for other in otherSide {
                try block(from: one, to: other)
                try block(from: other, to: one)
            }
        }
    }

    /// A cut in one direction: `receiver` no longer hears `sender`, which still hears `receiver`.
    func block(from sender: Int, to receiver: Int) throws {
        try addRule(#"iifname "\#(Self.port(sender))" oifname "\#(Self.port(receiver))" counter drop"#)
    }

    /// From now on that share of all packets is lost.
    func lose(percent: Int) throws {
        try addRule(#"iifname "port*" oifname "port*" numgen random mod 100 < \#(percent) counter drop"#)
    }

    /// From now on each host receives no more than that, what the tests send included; what would wait for longer than
    /// 0.4 s is lost.
    func makeThin(kilobitsPerSecond: Int) throws {
        isThin = true
        for port in ports {
            try bridge.run("tc qdisc add dev \(port) root tbf rate \(kilobitsPerSecond)kbit burst 8kb latency 400ms")
        }
    }

    /// From now on each packet takes that long, one way. Firewall rules do not hold meanwhile.
    func delay(milliseconds: Int) throws {
        let ports = ports + [Self.testsPort]
        for port in ports { try bridge.run("ip link set \(port) nomaster") }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("delay.py").path
        delayingSwitch = try Companion(
            bridge.launcher + ["/usr/bin/python3", script, "\(milliseconds)"] + ports, word: "carrying")
    }

    /// All reach all, at once.
    func heal() throws {
        try bridge.run("nft flush chain bridge faults forward")
        if isThin {
            isThin = false
            for port in ports { try bridge.run("tc qdisc del dev \(port) root") }
        }
        if delayingSwitch != nil {
            delayingSwitch = nil
            for port in ports + [Self.testsPort] { try bridge.run("ip link set \(port) master bridge") }
        }
    }

    /// How many packets fell to a cut or a loss since the last `heal`.
    func lostCount() throws -> Int {
        try Self.sum(after: "packets", in: bridge.run("nft list table bridge faults"))
    }

    /// How many packets had to wait for a thin line, or were lost there.
    func heldUpCount() throws -> Int {
        try ports.map { try Self.sum(after: "overlimits", in: bridge.run("tc -s qdisc show dev \($0)")) }.reduce(0, +)
    }

    private static func sum(after word: String, in text: String) -> Int {
        let words = text.split(whereSeparator: \.isWhitespace)
        return zip(words, words.dropFirst()).filter { $0.0 == word }.reduce(0) { $0 + (Int($1.1) ?? 0) }
    }

    private func addRule(_ rule: String) throws { try bridge.run("nft add rule bridge faults forward \(rule)") }
}
