internal import Runtime
internal import Transport

/// What this process and the machine's loopback interface have used up since they started, or between two moments.
package struct ResourceUse: Sendable {
    /// Of this process, all threads, user and system.
    package var processorSeconds: Double
    /// Sent on the loopback interface, whoever sent it.
    package var loopbackBytes: Int
    /// UDP packets sent by this machine, whoever sent them.
    package var datagrams: Int

    /// Up to now.
    package static var now: Self {
        Self(
            processorSeconds: ProcessorUse.now.time.inSeconds,
            loopbackBytes: Int(KernelFile.text(of: "/sys/class/net/lo/statistics/tx_bytes")) ?? 0,
            datagrams: datagramsSent(in: KernelFile.text(of: "/proc/net/snmp")))
    }

    package static func - (later: Self, earlier: Self) -> Self {
        Self(
            processorSeconds: later.processorSeconds - earlier.processorSeconds,
            loopbackBytes: later.loopbackBytes - earlier.loopbackBytes,
            datagrams: later.datagrams - earlier.datagrams)
    }

    /// `OutDatagrams` of the two lines that begin with `Udp:`, names and values; 0 where they are missing.
    static func datagramsSent(in text: String) -> Int {
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("Udp:") }.map { $0.split(separator: " ") }
        guard lines.count >= 2, let place = lines[0].firstIndex(of: "OutDatagrams"), place < lines[1].count else {
            return 0
        }
        return Int(lines[1][place]) ?? 0
    }
}
