internal import Cluster
internal import Logging
internal import Membership
internal import Replication
internal import Runtime
internal import ServiceLifecycle
internal import Store
internal import Transport

/// The parts of a node that make it a member: transport, membership and replication.
struct ClusterCore: Service {
    let transport: any Transport
    /// Set when clients may be served.
    let readiness = AtomicFlag()

    private let driverBox = LockedBox<NodeDriver?>(nil)
    private let settings: Settings
    private let cluster: Settings.Cluster
    private let store: Store
    private let listening: Listening
    private let stop: AtomicFlag
    private let clock: HeldClock
    private let logger: Logger

    init(
        _ settings: Settings, _ cluster: Settings.Cluster, transport: any Transport, store: Store, clock: HeldClock,
        listening: Listening, stop: AtomicFlag, logger: Logger
    ) {
        self.settings = settings
        self.cluster = cluster
        self.store = store
        self.clock = clock
        self.listening = listening
        self.stop = stop
        self.logger = logger
        self.transport = transport
        if cluster.encryptKey == nil, !transport.boundAddress.isLoopback {
            logger.log(
                .warning, "No cluster.encrypt_key: whoever reaches this address can read and change all todos",
                [.bindAddress: transport.boundAddress])
        }
    }

    /// `nil` until the node has begun to look for others.
    var driver: NodeDriver? { driverBox.value }

    /// Until told to stop: then the node says farewell before anything ends.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.runTransport() }
            group.addTask { try await self.runEngines() }
            // Whichever ends first takes the other with it: farewell said, or the transport gone.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func runTransport() async throws {
        do {
            try await transport.run()
        } catch {
            throw StartError.transport(error)
        }
    }

    private func runEngines() async throws {
        guard let httpPort = await listening.port() else { return }
        let driver = try await makeDriver(httpPort: httpPort)
        driverBox.value = driver
        let seeds = cluster.seeds.map(\.description)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await driver.run(seeds: seeds) }
            try? await gracefulShutdown()
            stop.set()
            await driver.leave()
            group.cancelAll()
        }
    }

    private func makeDriver(httpPort: UInt16) async throws -> NodeDriver {
        let local = try await localMember(httpPort: httpPort)
        var membership = MembershipConfiguration()
        membership.joining.joinTimeout = cluster.joinTimeout
        membership.joining.isBootstrap = cluster.isBootstrap
        var replication = ReplicationConfiguration()
        replication.syncTimeout = cluster.syncTimeout
        replication.emptyWait = cluster.isBootstrap ? .zero : cluster.joinTimeout
        replication.maxMessageBytes = transport.maxMessageBytes
        let core = NodeCore(
            local, start: store.streamStart, membership: membership, replication: replication,
            seed: (.random(in: .min ... .max), .random(in: .min ... .max)), at: clock.engine.now)
        logger.log(
            .info, "Starting as a member",
            [
                .nodeName: settings.nodeName, .nodeID: store.nodeID, .transport: transport.kind,
                .bindAddress: transport.boundAddress, .advertiseAddress: local.address, .todoCount: store.todoCount,
            ])
        return NodeDriver(
            core: core, transport: transport, store: store, clock: clock, readiness: readiness, logger: logger)
    }

    private func localMember(httpPort: UInt16) async throws -> LocalMember {
        let bound = transport.boundAddress
        let advertised = try await OwnAddress.advertised(
            bound: bound, configured: cluster.advertiseAddress, seeds: cluster.seeds)
        var tags = MemberTags.node
        tags.values[MemberTags.Key.version] = BuildInfo.version
        tags.values[MemberTags.Key.http] = httpAddress(port: httpPort, advertised: advertised)
        do throws(LocalMemberError) {
            return try LocalMember(
                name: settings.nodeName, nodeID: store.nodeID, address: advertised,
                otherAddresses: OwnAddress.all(bound: bound), tags: tags)
        } catch {
            throw StartError.unusableIdentity("\(error)")
        }
    }

    /// Where others find this node's REST API: its own host, or the address of the cluster when it listens on all.
    private func httpAddress(port: UInt16, advertised: PeerAddress) -> String {
        let host = settings.http.host
        let isWildcard = host == "0.0.0.0" || host == "::"
        return isWildcard
            ? settings.http.url(advertised.with(port: port)) : settings.http.url(HostAndPort(host: host, port: port))
    }
}
