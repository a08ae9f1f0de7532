/// What happened, in numbers.
package struct WorldStats: Hashable, Sendable {
    package var events = 0
    package var packets = 0
    package var packetBytes = 0
    package var lostPackets = 0
    package var crashes = 0
    /// Views of a member as failed; those of members that never stood still; and those for no good reason.
    package var failures = 0
    package var healthyFailures = 0
    package var falseFailures = 0
    /// Members that were seen as failed although they ran, and are seen as alive again; the slowest of these returns.
    package var returns = 0
    package var slowestReturn: Duration = .zero
    package var suspicions = 0
    package var violations = 0
    /// Datagrams with damaged bytes, as the checksum noticed.
    package var damagedPackets = 0
    package var exchangeBytes = 0
    package var walks = 0
    package var failedWalks = 0
    package var commits = 0
    package var faults = 0
}
