/// A mechanism that can be switched off: what nobody notices the absence of is either untested or not needed.
package enum Mechanism: String, Sendable, CaseIterable {
    /// Walks of the hash tree.
    case walks
    /// Members that are accused contradict.
    case refutation
    /// Time between suspicion and failure.
    case suspicion
    /// Probing through others, and over streams.
    case indirectProbes
    /// The clock's bound survives restarts.
    case durableClock
    /// What is acknowledged is on the disk, with `StoreKind.sqlite`.
    case sync
    /// Wall clocks are held to what the others' show.
    case clockHold
    /// A node that leaves makes sure that others have what it has.
    case handOver
    /// A new, empty node waits for others before it takes itself for the first.
    case startWait
    /// Members are in the database, and tried at a start.
    case memory
    /// What keeps a node from what its peers have shows in `isSynced` and lag.
    case standing
    /// Checksums beside the stamps, with `StoreKind.sqlite`.
    case checksums
    /// The todo endpoints wait for the first sync.
    case readiness
    /// Broadcasts are repeated and passed on.
    case relays
    /// Changes are told at once.
    case eagerBroadcast
    /// A first sync goes on with another donor when one dies.
    case failover
    /// Lifeguard: local health, and suspicions that last longer while nobody confirms them.
    case lifeguard
    /// The time in which a process stood still does not count for its timers.
    case pauseClock
    /// Small holes in a stream are asked for.
    case gapPull
    /// Heartbeats of replication.
    case heartbeats
    /// Heads of others in heartbeats.
    case heads
    /// Seeds and failed members are tried again.
    case rejoining
}
