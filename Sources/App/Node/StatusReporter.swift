internal import Cluster
internal import Membership
internal import Replication
internal import Runtime
internal import Store
internal import Transport

/// What `/health/info` and `/health/ready` say.
struct StatusReporter: Sendable {
    let settings: Settings
    let store: Store
    /// `nil` for a node that stands alone.
    let core: ClusterCore?

    var isReady: Bool { core?.readiness.isSet ?? true }

    func report() async -> NodeStatus {
        NodeStatus(
            nodeName: settings.nodeName, isReady: isReady, isSynced: await isSynced,
            isClusterMode: core != nil, transport: core?.transport.kind, members: await members(),
            todoCount: store.todoCount, fingerprint: store.summary.fingerprint)
    }

    private var isSynced: Bool {
        get async {
            guard let core else { return true }
            return await core.driver?.look { core, _ in core.replication.isSynced } ?? false
        }
    }

    private func members() async -> [NodeStatus.Member] {
        guard let driver = core?.driver else { return [alone] }
        let (known, peers, now) = await driver.look { core, moment in
            let peers = core.replication.peerStatus(wallMilliseconds: moment.wallMilliseconds, at: moment.time)
            return (
                core.membership.members, Dictionary(peers.map { ($0.nodeID, $0) }) { first, _ in first },
                core.membership.ownTime(at: moment.time)
            )
        }
        var members: [NodeStatus.Member] = []
        for member in known where member.isConfirmed {
            let age = member.lastSeen.map { now - $0 }
            let isSelf = member.name == settings.nodeName
            let peer = member.nodeID.flatMap { peers[$0] }
            members.append(
                NodeStatus.Member(
                    name: member.name, address: "\(member.address)", status: member.status,
                    http: member.tags.values[MemberTags.Key.http],
                    lastSeenMilliseconds: isSelf
                        ? nil : age.map { WallClock.milliseconds() - $0.wholeNanoseconds / 1_000_000 },
                    lag: isSelf ? .zero : peer?.lag,
                    clockOffset: isSelf ? nil : peer?.clockOffsetMilliseconds.map { .milliseconds($0) }))
        }
        return members
    }

    /// What there is to say of a node that knows nobody yet, or never will.
    private var alone: NodeStatus.Member {
        let http = HostAndPort(host: settings.http.host, port: settings.http.port)
        return NodeStatus.Member(
            name: settings.nodeName, address: core.map { "\($0.transport.boundAddress)" } ?? "", status: .alive,
            http: settings.http.url(http), lag: .zero)
    }
}
