internal import Membership
internal import Replication
internal import Store
internal import Transport

/// What `/health/info` and `/health/ready` say.
struct StatusReporter: Sendable {
    let settings: Settings
    let store: Store
    /// `nil` for a node that stands alone.
    let core: ClusterCore?

    var isReady: Bool { core?.replication.readiness.isSet ?? true }

    func report() async -> NodeStatus {
        NodeStatus(
            nodeName: settings.nodeName, isReady: isReady, isSynced: await core?.replication.isSynced ?? true,
            isClusterMode: core != nil, transport: core?.transport.kind, members: await members(),
            todoCount: store.todoCount, fingerprint: store.summary.fingerprint)
    }

    private func members() async -> [NodeStatus.Member] {
        guard let core, let membership = core.membership else { return [alone] }
        let replicas = await core.replication.peerStatus()
        let lags = Dictionary(replicas.map { ($0.nodeID, $0.lag) }) { first, _ in first }
        var members: [NodeStatus.Member] = []
        for member in await membership.members where member.isConfirmed {
            let age: Duration? =
                if let seen = member.lastSeen { await membership.age(of: seen) } else { nil }
            let isSelf = member.name == settings.nodeName
            members.append(
                NodeStatus.Member(
                    name: member.name, address: "\(member.address)", status: Self.status(member.status),
                    http: member.tags.values[MemberTags.Key.http],
                    lastSeenMilliseconds: isSelf
                        ? nil : age.map { WallClock.milliseconds() - $0.wholeNanoseconds / 1_000_000 },
                    lag: isSelf ? .zero : member.nodeID.flatMap { lags[$0] ?? nil }))
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

    private static func status(_ status: MemberStatus) -> NodeStatus.Member.Status {
        switch status {
        case .alive: .alive
        case .suspect: .suspect
        case .leaving: .leaving
        case .left: .left
        case .failed: .failed
        }
    }
}
