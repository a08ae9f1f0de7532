internal import Logging
internal import Membership
internal import Replication
internal import ServiceLifecycle
internal import Store
internal import Transport

/// The parts of a node that make it a member: transport, membership and replication.
struct ClusterCore: Service {
    let transport: any Transport
    let replication: ReplicationDriver

    private let membershipBox: MembershipBox
    private let settings: Settings
    private let cluster: Settings.Cluster
    private let store: Store
    private let listening: Listening
    private let stop: StopFlag
    private let clock = EngineClock()
    private let logger: Logger

    /// Binds the transport, so that a port in use is known before anything else happens.
    init(
        _ settings: Settings, _ cluster: Settings.Cluster, store: Store, listening: Listening, stop: StopFlag,
        logger: Logger
    ) async throws {
        self.settings = settings
        self.cluster = cluster
        self.store = store
        self.listening = listening
        self.stop = stop
        self.logger = logger
        transport = try await Self.bind(cluster)
        var configuration = ReplicationConfiguration()
        configuration.syncTimeout = cluster.syncTimeout
        replication = ReplicationDriver(
            configuration: configuration, transport: transport, store: store, clock: clock,
            seed: .random(in: .min ... .max), logger: logger)
        membershipBox = MembershipBox()
        if cluster.encryptKey == nil, !transport.boundAddress.isLoopback {
            logger.log(
                .warning, "No cluster.encrypt_key: whoever reaches this address can read and change all todos",
                [.bindAddress: transport.boundAddress])
        }
    }

    /// `nil` until the node has begun to look for others.
    var membership: MembershipDriver? { membershipBox.driver }

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
        let driver = try await makeMembership(httpPort: httpPort)
        membershipBox.driver = driver
        let seeds = cluster.seeds.map(\.description)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await replication.run() }
            group.addTask { await driver.run(seeds: seeds) }
            try? await gracefulShutdown()
            stop.set()
            await driver.leave()
            group.cancelAll()
        }
    }

    private static func bind(_ cluster: Settings.Cluster) async throws -> any Transport {
        var settings = TransportSettings(
            bindAddress: try await resolve(cluster.bindAddress, key: "node.transport.bind_addr"),
            key: cluster.encryptKey)
        if let publish = cluster.publishAddress {
            settings.publishAddress = try await resolve(publish, key: "node.transport.publish_addr")
        }
        do {
            return try TransportRegistry.make(cluster.transport, settings)
        } catch let error as TransportError {
            throw StartError.transport(error)
        }
    }

    private static func resolve(_ address: HostAndPort, key: String) async throws -> PeerAddress {
        guard let resolved = await Resolver.resolve(host: address.host, port: address.port).first else {
            throw StartError.unknownHost(address.host, key: key)
        }
        return resolved
    }

    private func makeMembership(httpPort: UInt16) async throws -> MembershipDriver {
        let bound = transport.boundAddress
        let advertised = try await OwnAddress.advertised(
            bound: bound, configured: cluster.advertiseAddress, seeds: cluster.seeds)
        var tags = MemberTags()
        tags.values[MemberTags.Key.channels] = "mr"
        tags.values[MemberTags.Key.version] = BuildInfo.version
        tags.values[MemberTags.Key.http] = httpAddress(port: httpPort, advertised: advertised)
        var configuration = MembershipConfiguration()
        configuration.joining.joinTimeout = cluster.joinTimeout
        do throws(LocalMemberError) {
            let local = try LocalMember(
                name: settings.nodeName, nodeID: store.nodeID, address: advertised,
                otherAddresses: OwnAddress.all(bound: bound), tags: tags)
            logger.log(
                .info, "Starting as a member",
                [
                    .nodeName: settings.nodeName, .nodeID: store.nodeID, .transport: transport.kind,
                    .bindAddress: bound, .advertiseAddress: advertised, .todoCount: store.todoCount,
                ])
            return MembershipDriver(
                engine: MembershipEngine(
                    configuration: configuration, local: local, seed: .random(in: .min ... .max), at: clock.now),
                transport: transport, replication: replication, store: store, clock: clock, logger: logger)
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
