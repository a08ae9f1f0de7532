/// Settings of the replication engine. The defaults work on a laptop and in a data centre.
package struct ReplicationConfiguration: Hashable, Sendable {
    /// Largest message the transport takes for `send` and `broadcast`. Larger changes go by exchange.
    package var maxMessageBytes = 1_200
    /// Time between heartbeats. Halving it halves the time until a silent loss shows and doubles idle traffic.
    package var heartbeatInterval: Duration = .seconds(1)
    /// How soon after the last change a heartbeat tells the head of the stream, so that the loss of the last message
    /// of a burst shows before the next regular heartbeat.
    package var tailHeartbeatDelay: Duration = .milliseconds(150)
    /// How soon a heartbeat follows when the transport has connected a peer, and after the first one of a peer: many that
    /// come at once share one.
    package var connectHeartbeatDelay: Duration = .milliseconds(10)
    /// Streams of others whose heads one heartbeat tells, those that an epidemic moved within `headsInterval`; 0 for none.
    /// In a large cluster a heartbeat reaches a few, and who missed a change learns of it from whoever has it.
    package var maxHeads = 32
    /// Two heartbeats, so that each node tells a head at least once.
    package var headsInterval: Duration = .seconds(2)
    /// How long a hole in a stream may be reordering before it counts as a loss.
    package var gapGrace: Duration = .milliseconds(150)
    /// Spread of the delay before a pull of what a hole lacks, so that what is only late is not asked for, and many nodes
    /// that see one loss do not ask its origin at once.
    package var pullDelay: ClosedRange<Duration> = .milliseconds(20)...(.milliseconds(80))
    /// How long the answer to a pull may take before the next one, or a walk.
    package var pullTimeout: Duration = .milliseconds(200)
    /// Pulls for one hole before it is a walk's turn; 0 leaves all holes to walks.
    package var maxPulls = 2
    /// Own changes that are kept for pulls, in bytes.
    package var maxRecentBytes = 2 * 1024 * 1024
    /// What pulls may ask of this node in a second, all peers together.
    package var maxPullBytesPerSecond = 4 * 1024 * 1024
    /// Spread of the delay before a walk, so that many nodes that see one loss do not ask one peer at once.
    package var walkJitter: ClosedRange<Duration> = .milliseconds(50)...(.milliseconds(200))
    /// Least time between two walks with one peer that close holes, after one that found something.
    package var walkInterval: Duration = .seconds(1)
    /// The same after walks that found nothing: it doubles up to this. And the least time before a walk that only a
    /// differing root asks for: while everybody writes, roots differ without anything being lost.
    package var maxWalkInterval: Duration = .seconds(5)
    /// How long what keeps this node from a peer's data may go on before the node says that it is not synced.
    package var obstaclePatience: Duration = .seconds(10)
    /// Walks this node leads at once.
    package var maxWalks = 2
    /// Walks this node answers at once; more are told to come back.
    package var maxServedWalks = 8
    /// How long the first sync may make no progress before the node opens all the same, saying that it is not synced.
    package var syncTimeout: Duration = .seconds(30)
    /// A joined node that sees no replicating member for this long has nobody to sync from. And longest time, from the
    /// first such member on, that the first sync waits for a heartbeat from each before it begins.
    package var donorWait: Duration = .milliseconds(500)
    /// How long a start that found nobody synced waits for members that were only heard of: membership forgets those that
    /// do not answer after about as long.
    package var hearsayWait: Duration = .seconds(2)
    /// How long a start without any data waits for those that may have some, where all that are there have none.
    package var emptyWait: Duration = .seconds(10)
    /// Peers that are not synced themselves which a starting node asks before it opens: the cluster is starting as a whole.
    package var maxUnsyncedDonors = 3
    /// Origins whose streams are followed at once.
    package var maxStreams = 4_096

    package init() {}
}
