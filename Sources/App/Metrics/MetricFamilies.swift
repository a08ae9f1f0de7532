internal import Membership
internal import Replication
internal import Prometheus
internal import Transport

/// Everything that `/metrics` tells, in its order. `docs/metrics.md` is made of this list.
enum MetricFamilies {
    static let all = [build] + http + store + replication + membership + transport + process

    /// Latency of requests: from what is answered from memory to what waits for a slow disk.
    private static let requestBounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    ]
    /// A group commit has at most 1,024 local requests and 2,000 merged rows (`WriteQueue`).
    private static let batchBounds: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048]
    private static let commitBounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
    ]

    private static let channel = MetricFamily.Label("channel", Channel.allCases.map(\.description))
    private static let directions = MetricFamily.Label("direction", MetricName.Direction.allCases.map(\.rawValue))

    static let build = MetricFamily(
        MetricName.build, .gauge, labels: [.init("version"), .init("transport")], seriesLimit: 1,
        help:
            "Always 1; the labels tell the version of this program and the transport of the node, none where it stands "
            + "alone.")

    static let http = [
        MetricFamily(
            MetricName.requests, .counter, labels: [.init("operation"), .init("status")],
            help:
                "HTTP requests answered, refused ones among them. operation is the id of the operation, none where nothing "
                + "is at the path or the method is not allowed there; status is other where the operation does not document "
                + "it, except for 431. Not counted: what the parser of HTTP/1 refuses, what breaks HTTP/2, and requests "
                + "whose connection broke before there was an answer."),
        MetricFamily(
            MetricName.requestDuration, .histogram(bounds: requestBounds), unit: .seconds,
            labels: [.init("operation")],
            help: "Time from a request's head until its answer was ready to be sent, its body being read and its write "
                + "being durable; of a long list, until its first part was. The same requests as in http_requests_total."
        ),
        MetricFamily(
            MetricName.requestsInFlight, .gauge,
            help: "HTTP requests that are being read or carried out now; this scrape is one."),
        MetricFamily(MetricName.connections, .gauge, help: "HTTP connections open now; a scrape's own is one."),
    ]

    static let store = [
        MetricFamily(MetricName.todos, .gauge, help: "Todos that this node shows."),
        MetricFamily(
            MetricName.rows, .gauge,
            help: "Rows that this node keeps in its hash tree: todos and tombstones of deleted ones."),
        MetricFamily(
            MetricName.commitRows, .histogram(bounds: batchBounds),
            help:
                "Rows that one transaction wrote, each as often as it was written, of transactions that changed a row, for "
                + "clients or for other nodes: how many writes shared a commit."),
        MetricFamily(
            MetricName.commitDuration, .histogram(bounds: commitBounds), unit: .seconds,
            help:
                "Time from when a transaction that changed a row had begun until its commit returned, which with synchronous: "
                + "full is when it was on the disk. Waiting for its turn is not in it, nor for another program's lock. The "
                + "same transactions as in acs_store_commit_rows."),
        MetricFamily(
            MetricName.waitingWrites, .gauge,
            help: "Writes of clients and merges from other nodes that wait for the writer now."),
        MetricFamily(
            MetricName.outsideChanges, .counter, labels: [.init("kind", ["inserted", "edited", "removed", "damaged"])],
            help:
                "Rows that were not as this node wrote them when it read the file: inserted, edited or removed by another "
                + "program, which became writes of this node, or damaged, which the other nodes' copies replace. An "
                + "index that was damaged, and made anew of the rows, counts as one."),
        MetricFamily(MetricName.databaseBytes, .gauge, unit: .bytes, help: "Size of the database file."),
        MetricFamily(
            MetricName.logBytes, .gauge, unit: .bytes, help: "Size of the write-ahead log beside the database file."),
    ]

    static let process = [
        MetricFamily(
            MetricName.processorSeconds, .counter, help: "User and system time that this process has taken, in seconds."
        ),
        MetricFamily(MetricName.residentBytes, .gauge, unit: .bytes, help: "Memory of this process that is resident."),
        MetricFamily(MetricName.virtualBytes, .gauge, unit: .bytes, help: "Address space of this process."),
        MetricFamily(MetricName.openDescriptors, .gauge, help: "File descriptors that this process has open."),
        MetricFamily(
            MetricName.maxDescriptors, .gauge, help: "File descriptors that this process may have open: the soft limit."
        ),
        MetricFamily(
            MetricName.startTime, .gauge, unit: .seconds, help: "When this process started, in seconds since 1970."),
        MetricFamily(MetricName.threads, .gauge, help: "Threads of this process."),
    ]
}

// What a node that stands alone shows at zero, or without series.
extension MetricFamilies {
    static let replication = [
        MetricFamily(
            MetricName.ready, .gauge,
            help: "1 when the node serves todos, which one that stands alone always does; else 0."),
        MetricFamily(
            MetricName.synced, .gauge,
            help:
                "1 when everything that another synced node had has come here since the start, or there is no other, as "
                + "for a node that stands alone; 0 before, and for a node that opened without its first sync."),
        MetricFamily(
            MetricName.sentRows, .counter,
            help: "Rows changed by clients of this node and handed to the transport for the others."),
        MetricFamily(
            MetricName.sentChanges, .counter, labels: [.init("way", MetricName.Way.allCases.map(\.rawValue))],
            help:
                "Messages of changes, with one row or more, handed over to be broadcast, or where they are too large to be "
                + "sent by exchange; one each, however many peers there are. Those of other nodes that were passed on are "
                + "among them."),
        MetricFamily(
            MetricName.relayedChanges, .counter,
            help: "Messages of changes of other nodes that were passed on, since their sender had not reached everyone."
        ),
        MetricFamily(
            MetricName.receivedChanges, .counter,
            help: "Messages of changes that came by broadcast, by exchange or after a pull, duplicates among them."),
        MetricFamily(
            MetricName.receivedRows, .counter,
            help: "Rows in the messages of changes that came, but for those of duplicates."),
        MetricFamily(
            MetricName.duplicateChanges, .counter,
            help: "Messages of changes that had come before, or were this node's own."),
        MetricFamily(
            MetricName.malformedReplication, .counter,
            help: "Messages of changes, heartbeats and pulls that could not be read."),
        MetricFamily(
            MetricName.unknownVersions, .counter,
            help:
                "Of the messages in acs_replication_malformed_messages_total, those of a version of the format that this "
                + "node does not know."),
        MetricFamily(
            MetricName.unknownRecords, .counter,
            help:
                "Messages of changes, and comparisons that this node began, with a kind of row that it does not know. The "
                + "messages are in acs_replication_malformed_messages_total too."),
        MetricFamily(
            MetricName.mergedRows, .counter,
            help: "Rows from other nodes that were news here, in messages of changes and in walks that ended well."),
        MetricFamily(
            MetricName.aheadRows, .counter,
            help:
                "Rows from other nodes that were news here and stamped further in the future than clocks that are right "
                + "stamp: a clock was ahead. They are taken in all the same."),
        MetricFamily(
            MetricName.failedMerges, .counter, help: "Merges of messages of changes that the store could not carry out."
        ),
        MetricFamily(
            MetricName.gaps, .counter,
            help: "Times that something a node had sent was seen to be missing here."),
        MetricFamily(
            MetricName.pulledGaps, .counter,
            help:
                "Of the times in acs_replication_gaps_total, those that it came after this node had asked for it, without a walk."
        ),
        MetricFamily(
            MetricName.openGaps, .gauge, help: "Peers of whose messages something is missing here now."),
        MetricFamily(
            MetricName.sentPulls, .counter, help: "Questions to other nodes for messages that are missing here."),
        MetricFamily(
            MetricName.receivedPulls, .counter,
            help: "Questions of peers to this node for messages that are missing there."),
        MetricFamily(
            MetricName.answeredPulls, .counter, help: "Messages that this node sent again, since a peer asked for them."
        ),
        MetricFamily(
            MetricName.startedWalks, .counter,
            help: "Comparisons of hash trees that this node began with a peer, a first sync being one."),
        MetricFamily(
            MetricName.productiveWalks, .counter,
            help: "Comparisons that this node began and that found and repaired a difference."),
        MetricFamily(
            MetricName.failedWalks, .counter,
            help: "Comparisons that this node began and that did not come about or broke off."),
        MetricFamily(
            MetricName.walkRoundTrips, .counter,
            help:
                "Times that this node waited for a peer's answer in comparisons that it began and that were carried through: "
                + "the rounds down the hash tree."),
        MetricFamily(
            MetricName.servedWalks, .counter,
            help:
                "Comparisons that peers began and this node carried through, or turned away for their version or identity."
        ),
        MetricFamily(
            MetricName.walkRows, .counter, labels: [directions],
            help: "Rows sent and received in comparisons that were carried through, of either side's beginning."),
        MetricFamily(
            MetricName.exchangeBytes, .counter, unit: .bytes, labels: [directions],
            help:
                "Bytes of the messages that replication sent and received in exchanges: first syncs and other comparisons, "
                + "changes too large to be broadcast, and their answers."),
        MetricFamily(
            MetricName.clockError, .gauge, unit: .seconds,
            help:
                "How far this node's wall clock is ahead of those of the cluster, where they agree; where they do not, of "
                + "the one that differs most. 0 while it agrees with them, and while no other is known."),
        MetricFamily(
            MetricName.obstacles, .gauge, labels: [.init("cause", Obstacle.allCases.map(\.rawValue))],
            help:
                "Peers that something has kept this node from for 10 s, by its cause. While there is one, this node is not synced."
        ),
        MetricFamily(
            MetricName.lag, .gauge, unit: .seconds, labels: [.init("peer")],
            help:
                "For how long something that the peer has has been missing here; 0 when nothing is, as far as its heartbeats "
                + "and the numbers of its messages tell; the time since its last heartbeat, where none has come for 10 s "
                + "(with up to 30 peers). No series for a peer that has just appeared, before its first heartbeat, and for one that is gone."
        ),
    ]

    static let membership = [
        MetricFamily(
            MetricName.members, .gauge, labels: [.init("state", MemberStatus.allCases.map(\.rawValue))],
            help: "Members by state, this node among them, as this node sees them. Only those are counted that it has "
                + "reached itself. All 0 until it looks for others, and where it stands alone."),
        MetricFamily(
            MetricName.unconfirmedMembers, .gauge, help: "Members heard of that this node has not reached itself yet."),
        MetricFamily(
            MetricName.probes, .counter,
            help: "Probes that this node began, but for those of members that it had only heard of."),
        MetricFamily(
            MetricName.failedProbes, .counter,
            help:
                "Probes that this node began and that had no answer: not directly, not through others, not over a stream."
        ),
        MetricFamily(
            MetricName.suspicions, .counter,
            help: "Times that this node began to suspect a member, by its own probes or on another's word."),
        MetricFamily(
            MetricName.failures, .counter,
            help: "Times that a member was noted as failed, by this node or on another's word."),
        MetricFamily(
            MetricName.refutations, .counter, help: "Times that this node contradicted what was said of it."),
        MetricFamily(
            MetricName.pauses, .counter, help: "Times that this process stood still for longer than its timers bear."),
        MetricFamily(
            MetricName.pushPulls, .counter, help: "Lists of members that were exchanged with another node and merged."),
        MetricFamily(
            MetricName.malformedMembership, .counter,
            help: "Messages of membership, and questions in exchanges, that could not be read."),
        MetricFamily(
            MetricName.ignoredMembership, .counter,
            help:
                "Messages of membership that could be read and made no sense: for another node, about impossible members."
        ),
        MetricFamily(
            MetricName.localHealth, .gauge,
            help: "How much this node doubts its own network, from 0, which is not at all (Lifeguard's multiplier)."),
    ]

    static let transport = [
        MetricFamily(
            MetricName.sentMessages, .counter, labels: [channel],
            help:
                "Messages handed to the network, exchanges aside: a broadcast once for each peer that it goes to, and again "
                + "each time that it is repeated."),
        MetricFamily(
            MetricName.sentBytes, .counter, unit: .bytes, labels: [channel],
            help: "Bytes of the messages in acs_transport_sent_messages_total, without what the transport adds."),
        MetricFamily(
            MetricName.receivedMessages, .counter, labels: [channel],
            help: "Messages taken from the network, exchanges aside, and repetitions among them."),
        MetricFamily(
            MetricName.receivedBytes, .counter, unit: .bytes, labels: [channel],
            help: "Bytes of the messages in acs_transport_received_messages_total, without what the transport adds."),
        MetricFamily(
            MetricName.drops, .counter, labels: [.init("cause", DropCause.allCases.map(\.metricName))],
            help: "Messages that went nowhere, in either direction, by cause."),
        MetricFamily(
            MetricName.sendQueueMessages, .gauge, labels: [channel],
            help:
                "Messages that wait to be handed to the network now; a broadcast as one, or as one for each peer, as the "
                + "transport holds it."),
        MetricFamily(
            MetricName.sendQueueBytes, .gauge, unit: .bytes, labels: [channel],
            help: "What the messages in acs_transport_send_queue_messages take of their queues' bounds."),
        MetricFamily(
            MetricName.receiveQueueMessages, .gauge, labels: [channel],
            help: "Messages taken from the network that wait to be handled now."),
        MetricFamily(
            MetricName.receiveQueueBytes, .gauge, unit: .bytes, labels: [channel],
            help:
                "What the messages in acs_transport_receive_queue_messages take of their queue's bound: 64 bytes each besides "
                + "their own."),
        MetricFamily(
            MetricName.openExchanges, .gauge,
            help: "Exchanges with other nodes that are open now, or being opened or closed, of either side's making."),
        MetricFamily(
            MetricName.refusals, .counter, labels: [.init("reason", Refusal.allCases.map(\.metricName))],
            help: "Times that a node or a packet was turned away, by reason."),
    ]
}

extension DropCause {
    /// The value of the label: `send_queue_full`.
    var metricName: String { snakeCase(rawValue) }
}

extension Refusal {
    /// The value of the label: `other_key`.
    var metricName: String { snakeCase(rawValue) }
}

/// `sendQueueFull` as `send_queue_full`.
private func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { text, character in
        text += character.isUppercase ? "_\(character.lowercased())" : "\(character)"
    }
}
