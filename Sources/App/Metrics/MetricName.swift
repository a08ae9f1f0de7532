/// What the metrics are called, by https://prometheus.io/docs/practices/naming.
enum MetricName {
    enum Direction: String, CaseIterable {
        case sent, received
    }

    /// How changes go out.
    enum Way: String, CaseIterable {
        case broadcast, exchange
    }

    static let build = "acs_build_info"

    static let requests = "http_requests_total"
    static let requestDuration = "http_request_duration_seconds"
    static let requestsInFlight = "http_requests_in_flight"
    static let connections = "http_connections"

    static let todos = "acs_store_todos"
    static let rows = "acs_store_rows"
    static let commitRows = "acs_store_commit_rows"
    static let commitDuration = "acs_store_commit_duration_seconds"
    static let waitingWrites = "acs_store_waiting_writes"
    static let outsideChanges = "acs_store_outside_changes_total"
    static let databaseBytes = "acs_store_database_bytes"
    static let logBytes = "acs_store_log_bytes"

    static let ready = "acs_replication_ready"
    static let synced = "acs_replication_synced"
    static let sentRows = "acs_replication_sent_rows_total"
    static let sentChanges = "acs_replication_sent_changes_total"
    static let relayedChanges = "acs_replication_relayed_changes_total"
    static let receivedChanges = "acs_replication_received_changes_total"
    static let receivedRows = "acs_replication_received_rows_total"
    static let duplicateChanges = "acs_replication_duplicate_changes_total"
    static let malformedReplication = "acs_replication_malformed_messages_total"
    static let unknownVersions = "acs_replication_unknown_versions_total"
    static let unknownRecords = "acs_replication_unknown_records_total"
    static let mergedRows = "acs_replication_merged_rows_total"
    static let aheadRows = "acs_replication_ahead_rows_total"
    static let clockError = "acs_replication_clock_error_seconds"
    static let failedMerges = "acs_replication_failed_merges_total"
    static let gaps = "acs_replication_gaps_total"
    static let pulledGaps = "acs_replication_pulled_gaps_total"
    static let openGaps = "acs_replication_open_gaps"
    static let sentPulls = "acs_replication_sent_pulls_total"
    static let receivedPulls = "acs_replication_received_pulls_total"
    static let answeredPulls = "acs_replication_answered_pulls_total"
    static let startedWalks = "acs_replication_started_walks_total"
    static let productiveWalks = "acs_replication_productive_walks_total"
    static let failedWalks = "acs_replication_failed_walks_total"
    static let walkRoundTrips = "acs_replication_walk_round_trips_total"
    static let servedWalks = "acs_replication_served_walks_total"
    static let walkRows = "acs_replication_walk_rows_total"
    static let exchangeBytes = "acs_replication_exchange_bytes_total"
    static let obstacles = "acs_replication_obstacles"
    static let lag = "acs_replication_lag_seconds"

    static let members = "acs_membership_members"
    static let unconfirmedMembers = "acs_membership_unconfirmed_members"
    static let probes = "acs_membership_probes_total"
    static let failedProbes = "acs_membership_failed_probes_total"
    static let suspicions = "acs_membership_suspicions_total"
    static let failures = "acs_membership_failures_total"
    static let refutations = "acs_membership_refutations_total"
    static let pauses = "acs_membership_pauses_total"
    static let pushPulls = "acs_membership_push_pulls_total"
    static let malformedMembership = "acs_membership_malformed_messages_total"
    static let ignoredMembership = "acs_membership_ignored_messages_total"
    static let localHealth = "acs_membership_local_health"

    static let sentMessages = "acs_transport_sent_messages_total"
    static let sentBytes = "acs_transport_sent_bytes_total"
    static let receivedMessages = "acs_transport_received_messages_total"
    static let receivedBytes = "acs_transport_received_bytes_total"
    static let drops = "acs_transport_dropped_messages_total"
    static let sendQueueMessages = "acs_transport_send_queue_messages"
    static let sendQueueBytes = "acs_transport_send_queue_bytes"
    static let receiveQueueMessages = "acs_transport_receive_queue_messages"
    static let receiveQueueBytes = "acs_transport_receive_queue_bytes"
    static let openExchanges = "acs_transport_open_exchanges"
    static let refusals = "acs_transport_refusals_total"

    static let processorSeconds = "process_cpu_seconds_total"
    static let residentBytes = "process_resident_memory_bytes"
    static let virtualBytes = "process_virtual_memory_bytes"
    static let openDescriptors = "process_open_fds"
    static let maxDescriptors = "process_max_fds"
    static let startTime = "process_start_time_seconds"
    static let threads = "process_threads"
}
