package import Replication
package import Transport

/// What every input of a `NodeCore` comes with: the time, and the store's state at that time.
package struct Moment: Hashable, Sendable {
    /// The time of the engines. It never decreases between two inputs.
    package var time: EngineInstant
    /// The wall clock, in milliseconds since 1970. It may jump.
    package var wallMilliseconds: Int64
    /// The root and the row count of the store.
    package var summary: TreeSummary

    package init(time: EngineInstant, wallMilliseconds: Int64, summary: TreeSummary) {
        self.time = time
        self.wallMilliseconds = wallMilliseconds
        self.summary = summary
    }
}
