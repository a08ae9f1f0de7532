/// Counts since the start.
package struct ReplicationStats: Hashable, Sendable {
    /// Changes messages sent by broadcast and by push, those passed on among them.
    package var sentMessages = 0
    package var pushedMessages = 0
    /// Rows that were committed here and told to the peers.
    package var sentRows = 0
    /// Changes messages that came, and the rows of those that were no duplicates.
    package var receivedMessages = 0
    package var receivedRows = 0
    package var duplicateMessages = 0
    /// Messages that could not be read, those of the next two among them.
    package var malformedMessages = 0
    /// Messages of a version of the replication channel that is not known here.
    package var unknownVersions = 0
    /// Messages of changes, and walks led, with a kind of row that is not known here.
    package var unknownRecords = 0
    package var relayedMessages = 0
    /// Rows that were news, whichever way they came.
    package var mergedRows = 0
    /// Rows merged whose writer's clock was further ahead than is allowed.
    package var aheadRows = 0
    package var failedMerges = 0
    /// Holes that showed in the streams of others.
    package var gaps = 0
    /// Those of them that closed after a pull and without a walk.
    package var pulledGaps = 0
    package var sentPulls = 0
    package var receivedPulls = 0
    /// Messages sent again since a peer pulled them.
    package var answeredPulls = 0
    /// Walks that this node led.
    package var startedWalks = 0
    package var productiveWalks = 0
    package var failedWalks = 0
    /// Of walks that this node led and that ended well: how often it waited for the peer.
    package var walkRoundTrips = 0
    /// Walks that peers led with this node and that ended well.
    package var servedWalks = 0
    /// Rows of walks that ended well, led or served.
    package var walkRowsSent = 0
    package var walkRowsReceived = 0

    /// Nothing yet.
    package init() {}
}
