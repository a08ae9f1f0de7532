package import Transport

/// One memberlist message without the layers that carried it (compound, checksum, sealing).
package enum MembershipMessage: Hashable, Sendable {
    case ping(PingBody)
    case indirectPing(IndirectPingBody)
    case ack(AckBody)
    case nack(NackBody)
    case suspect(AccusationBody)
    case alive(AliveBody)
    case dead(AccusationBody)
    case pushPull(PushPull)
    /// The other side of a stream says why it gives up.
    case error(String)
    /// An application's own bytes; Serf's messages travel this way.
    case user([UInt8])
}

/// "Answer, if your name is `node`."
package struct PingBody: Hashable, Sendable {
    /// Comes back in the ack.
    package var sequence: UInt32
    /// Who is meant; empty means whoever listens there.
    package var node: String
    /// Where the ack goes. `nil`: to where the ping came from.
    package var source: PeerAddress?
    /// The sender's name; empty when it does not say.
    package var sourceNode: String

    package init(sequence: UInt32, node: String, source: PeerAddress? = nil, sourceNode: String = "") {
        self.sequence = sequence
        self.node = node
        self.source = source
        self.sourceNode = sourceNode
    }
}

/// "Ping that one for me": the indirect probe of SWIM §3.1.
package struct IndirectPingBody: Hashable, Sendable {
    /// The asker's number, which comes back in the ack or nack.
    package var sequence: UInt32
    package var target: PeerAddress
    /// The target's name.
    package var node: String
    /// Whether the asker wants to hear that the target did not answer (Lifeguard §4).
    package var wantsNack: Bool
    /// Where the answer goes. `nil`: to where the request came from.
    package var source: PeerAddress?
    /// The asker's name; empty when it does not say.
    package var sourceNode: String

    package init(
        sequence: UInt32, target: PeerAddress, node: String, wantsNack: Bool = true, source: PeerAddress? = nil,
        sourceNode: String = ""
    ) {
        self.sequence = sequence
        self.target = target
        self.node = node
        self.wantsNack = wantsNack
        self.source = source
        self.sourceNode = sourceNode
    }
}

/// The answer to a ping, direct or passed on by a helper.
package struct AckBody: Hashable, Sendable {
    package var sequence: UInt32
    /// Serf's network coordinate; `nil` in ours.
    package var payload: [UInt8]?

    package init(sequence: UInt32, payload: [UInt8]? = nil) {
        self.sequence = sequence
        self.payload = payload
    }
}

/// A helper's word that the target did not answer it: so the way to the helper works.
package struct NackBody: Hashable, Sendable {
    package var sequence: UInt32

    package init(sequence: UInt32) { self.sequence = sequence }
}

/// What `from` says of `node`: that it does not answer, that it failed, or, of itself, that it leaves.
package struct AccusationBody: Hashable, Sendable {
    /// The incarnation of `node` that is accused.
    package var incarnation: UInt32
    package var node: String
    package var from: String

    package init(incarnation: UInt32, node: String, from: String) {
        self.incarnation = incarnation
        self.node = node
        self.from = from
    }
}

/// A member as it describes itself.
package struct AliveBody: Hashable, Sendable {
    package var incarnation: UInt32
    package var node: String
    /// Port 0 means the receiver's own port.
    package var address: PeerAddress
    /// The tags (`MemberTags`), or whatever a foreign node puts there.
    package var meta: [UInt8]?
    /// As on the wire; `ProtocolVersions` reads it.
    package var versions: [UInt8]

    package init(
        incarnation: UInt32, node: String, address: PeerAddress, meta: [UInt8]?,
        versions: [UInt8] = ProtocolVersions.current.bytes
    ) {
        self.incarnation = incarnation
        self.node = node
        self.address = address
        self.meta = meta
        self.versions = versions
    }
}

/// One side's whole view of the cluster, sent on a stream.
package struct PushPull: Hashable, Sendable {
    /// Whether the side that opened the stream wants to join.
    package var isJoin: Bool
    package var nodes: [PushPullNode]
    /// Serf's clocks and intents; empty in ours.
    package var userState: [UInt8]

    package init(isJoin: Bool, nodes: [PushPullNode], userState: [UInt8] = []) {
        self.isJoin = isJoin
        self.nodes = nodes
        self.userState = userState
    }
}

/// One member in a push/pull.
package struct PushPullNode: Hashable, Sendable {
    /// A member's state, with its number on the wire.
    package enum State: UInt8, Hashable, Sendable {
        case alive = 0
        case suspect = 1
        case dead = 2
        case left = 3
    }

    /// Name, address, meta, incarnation and versions.
    package var member: AliveBody
    package var state: State

    package init(member: AliveBody, state: State) {
        self.member = member
        self.state = state
    }
}
