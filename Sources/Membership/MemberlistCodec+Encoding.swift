internal import Transport

extension MemberlistCodec {
    /// The bytes of a message in a datagram. A push/pull or an error is written as on a stream, where alone it belongs.
    package static func encode(_ message: MembershipMessage) -> [UInt8] {
        switch message {
        case .ping(let body): return encode(body)
        case .indirectPing(let body): return encode(body)
        case .ack(let body):
            return map(.ack, [("Payload", { $0.write(body.payload) }), ("SeqNo", { $0.write(body.sequence) })])
        case .nack(let body): return map(.nack, [("SeqNo", { $0.write(body.sequence) })])
        case .suspect(let body): return encode(body, as: .suspect)
        case .dead(let body): return encode(body, as: .dead)
        case .alive(let body):
            return map(.alive, memberFields(body, nameKey: "Node"))
        case .pushPull(let body): return encode(body)
        case .error(let text): return map(.error, [("Error", { $0.write(text) })])
        case .user(let payload): return [Kind.user.rawValue] + payload
        }
    }

    /// The bytes of a message on a stream: the same but for a user message, whose length stands in front there.
    package static func encodeStream(_ message: MembershipMessage) -> [UInt8] {
        guard case .user(let payload) = message else { return encode(message) }
        return map(.user, [("UserMsgLen", { $0.write(UInt64(payload.count)) })]) + payload
    }

    /// A map's key, and what writes its value.
    private typealias Field = (key: String, write: (inout MessagePackWriter) -> Void)

    private static func encode(_ body: PingBody) -> [UInt8] {
        let fields: [Field] = [("Node", { $0.write(body.node) }), ("SeqNo", { $0.write(body.sequence) })]
        return map(.ping, fields + sourceFields(body.source, body.sourceNode))
    }

    private static func encode(_ body: IndirectPingBody) -> [UInt8] {
        let fields: [Field] = [
            ("Nack", { $0.write(body.wantsNack) }), ("Node", { $0.write(body.node) }),
            ("Port", { $0.write(body.target.port) }), ("SeqNo", { $0.write(body.sequence) }),
        ]
        let target: Field = ("Target", { $0.write(body.target.hostBytes) })
        return map(.indirectPing, fields + sourceFields(body.source, body.sourceNode) + [target])
    }

    private static func encode(_ body: AccusationBody, as kind: Kind) -> [UInt8] {
        map(
            kind,
            [
                ("From", { $0.write(body.from) }), ("Incarnation", { $0.write(body.incarnation) }),
                ("Node", { $0.write(body.node) }),
            ])
    }

    private static func encode(_ body: PushPull) -> [UInt8] {
        var writer = MessagePackWriter(prefix: [Kind.pushPull.rawValue])
        write(
            [
                ("Join", { $0.write(body.isJoin) }), ("Nodes", { $0.write(UInt64(body.nodes.count)) }),
                ("UserStateLen", { $0.write(UInt64(body.userState.count)) }),
            ], to: &writer)
        for node in body.nodes {
            write(memberFields(node.member, nameKey: "Name", state: node.state), to: &writer)
        }
        writer.writeUnframed(body.userState)
        return writer.bytes
    }

    /// `Name` and `Node` both stand between `Meta` and `Port`, so one order serves the alive and the push/pull, which alone
    /// has a state.
    private static func memberFields(
        _ body: AliveBody, nameKey: String, state: PushPullNode.State? = nil
    ) -> [Field] {
        var fields: [Field] = [
            ("Addr", { $0.write(body.address.hostBytes) }), ("Incarnation", { $0.write(body.incarnation) }),
            ("Meta", { $0.write(body.meta) }), (nameKey, { $0.write(body.node) }),
            ("Port", { $0.write(body.address.port) }),
        ]
        if let state { fields.append(("State", { $0.write(state.rawValue) })) }
        return fields + [("Vsn", { $0.write(body.versions) })]
    }

    private static func sourceFields(_ source: PeerAddress?, _ node: String) -> [Field] {
        var fields: [Field] = []
        if let source { fields.append(("SourceAddr", { $0.write(source.hostBytes) })) }
        if !node.isEmpty { fields.append(("SourceNode", { $0.write(node) })) }
        if let source { fields.append(("SourcePort", { $0.write(source.port) })) }
        return fields
    }

    private static func map(_ kind: Kind, _ fields: [Field]) -> [UInt8] {
        var writer = MessagePackWriter(prefix: [kind.rawValue])
        write(fields, to: &writer)
        return writer.bytes
    }

    private static func write(_ fields: [Field], to writer: inout MessagePackWriter) {
        writer.writeMapHeader(fields.count)
        for field in fields {
            writer.write(field.key)
            field.write(&writer)
        }
    }
}
