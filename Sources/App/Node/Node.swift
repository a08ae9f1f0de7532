internal import CoreMetrics
internal import Glibc
internal import Keys
internal import Logging
internal import Membership
internal import Prometheus
internal import Replication
internal import Runtime
internal import ServiceLifecycle
internal import Store
internal import Transport
internal import UnixSignals

/// Runs a node until SIGTERM or SIGINT. Throws an error whose description is one sentence for the operator.
func serve(_ settings: Settings) async throws {
    // First of all, since the signal would end the process until somebody takes it; what comes early waits.
    let hangups = await UnixSignalsSequence(trapping: .sighup)
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "auto-cluster-sync")
    logger.logLevel = settings.logLevel
    let metrics = Registry(MetricFamilies.all)
    // What a library counts is not declared here: counted as refused, and not shown.
    MetricsSystem.bootstrap(metrics)

    let (http, logging) = (settings.http, logger)
    let credentials = try await Blocking.run { try HTTPCredentials(http, logger: logging) }
    let clock = HeldClock()
    // Before the database is opened: a port in use leaves no new file behind, and nobody takes a node that still reads a large
    // one for absent, since the system answers for it.
    let transport = try await settings.cluster?.bindTransport()
    try await HTTPApplication.checkPort(host: http.host, port: http.port)
    let store = try await openStore(settings, clock, metrics, logger)
    do {
        try await run(settings, ReloadService(credentials, hangups), transport, store, clock, metrics, logger)
    } catch {
        await store.close()
        throw error
    }
    await store.close()
    logger.info("Stopped")
}

/// How long a node that was told to stop may take to finish requests and say farewell.
private let shutdownLimit: Duration = .seconds(4)
/// How long its store may take after that, before the process ends anyway.
private let closingLimit: Duration = .seconds(2)

private func run(
    _ settings: Settings, _ reload: ReloadService, _ transport: (any Transport)?, _ store: Store, _ clock: HeldClock,
    _ metrics: Registry, _ logger: Logger
) async throws {
    logger.note(store.outsideChanges)
    let listening = Listening()
    let stop = AtomicFlag()
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
        .init(service: reload)
    ]
    let core: ClusterCore?
    if let settingsOfCluster = settings.cluster, let transport {
        let cluster = ClusterCore(
            settings, settingsOfCluster, transport: transport, store: store, clock: clock, listening: listening,
            stop: stop, logger: logger)
        core = cluster
        services.append(.init(service: cluster, successTerminationBehavior: .gracefullyShutdownGroup))
    } else {
        core = nil
        services.append(.init(service: StandaloneCore(listening: listening, stop: stop, logger: logger)))
    }
    let status = StatusReporter(settings: settings, store: store, core: core)
    let collector = MetricsCollector(metrics, transport: core?.transport.kind) { [core] in
        await NodeFigures.read(store, core)
    }
    let http = try makeHTTPApplication(
        host: settings.http.host, port: settings.http.port, service: store,
        isReady: { status.isReady }, status: { await status.report() }, transport: core?.transport.kind,
        furtherEndpoints: [collector.endpoint],
        limits: settings.http.limits, tls: reload.credentials.tls, tokens: reload.credentials.tokens, metrics: metrics,
        logger: logger,
        onListening: { port in
            let address = HostAndPort(host: settings.http.host, port: port)
            logger.log(.info, "Listening for HTTP", [.url: settings.http.url(address)])
            listening.announce(port)
        })
    services.append(
        .init(service: DrainingHTTP(application: http), failureTerminationBehavior: .gracefullyShutdownGroup))
    var configuration = ServiceGroupConfiguration(
        services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
    configuration.maximumGracefulShutdownDuration = shutdownLimit
    // Not earlier: from here on a signal no longer ends the process by itself.
    let deadline = ExitDeadline([SIGTERM, SIGINT], after: shutdownLimit + closingLimit) {
        logger.warning("Stopped before all work was finished")
        _exit(0)
    }
    defer { withExtendedLifetime(deadline) {} }
    do {
        try await ServiceGroup(configuration: configuration).run()
    } catch {
        // Past the limit what still runs is cancelled; that is no failure of a node that was told to stop.
        guard stop.isSet, !(error is HTTPApplicationError), !(error is StartError) else { throw error }
        logger.warning("Stopped before all requests were finished")
    }
}

/// The service group's own messages repeat what the node says.
private func quiet(_ logger: Logger) -> Logger {
    var logger = logger
    if logger.logLevel > .debug { logger.logLevel = .error }
    return logger
}

private func openStore(
    _ settings: Settings, _ clock: HeldClock, _ metrics: Registry, _ logger: Logger
) async throws -> Store {
    var configuration = StoreConfiguration(path: settings.database.path)
    configuration.wallClock = { clock.reading }
    configuration.synchronous = settings.database.synchronous
    if let key = settings.cluster?.encryptKey {
        let words = try Keys.ClusterKey(key.bytes).subkey(for: .rowHashes).firstWords
        configuration.hasher = RowHasher(key0: words.0, key1: words.1)
    }
    let rows = Recorder(label: MetricName.commitRows, factory: metrics)
    let duration = Timer(label: MetricName.commitDuration, factory: metrics)
    configuration.onCommit = { report in
        rows.record(report.rowCount)
        duration.recordNanoseconds(report.duration.wholeNanoseconds)
    }
    configuration.onOutsideChanges = { logger.note($0) }
    let final = configuration
    return try await Blocking.run { try Store.open(final) }
}

extension Logger {
    /// Tells of rows that were not as this node had written them.
    fileprivate func note(_ changes: OutsideChanges) {
        if changes.takenOver + changes.edited + changes.removed > 0 {
            log(
                .info, "Took over todos written by another program",
                [.takenOver: changes.takenOver, .edited: changes.edited, .removed: changes.removed])
        }
        if changes.damaged > 0 {
            log(
                .warning, "Rows of the database file were damaged: copies on other nodes replace them",
                [.count: changes.damaged])
        }
        if changes.damagedIndexes > 0 {
            log(
                .warning, "Indexes of the database file were damaged: made anew of the rows",
                [.count: changes.damagedIndexes])
        }
    }
}
