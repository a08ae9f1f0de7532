internal import Transport

extension MemberlistCodec {
    /// Reads the fields of the maps that have no nested structure. One struct for all kinds: their keys never clash.
    struct Fields {
        var sequence: UInt32 = 0
        var incarnation: UInt32 = 0
        var node = ""
        var name = ""
        var from = ""
        var sourceNode = ""
        var errorText = ""
        var address: [UInt8] = []
        var sourceAddress: [UInt8] = []
        var target: [UInt8] = []
        var port: UInt16 = 0
        var sourcePort: UInt16 = 0
        var payload: [UInt8]?
        var meta: [UInt8]?
        var versions: [UInt8] = []
        var wantsNack = false
        var isJoin = false
        var state: UInt64 = 0
        var nodes: UInt64 = 0
        var userStateLength: UInt64 = 0
        var userMessageLength: UInt64 = 0

        init(_ reader: inout MessagePackReader) throws(MembershipWireError) {
            do throws(MessagePackError) {
                for _ in 0..<(try reader.mapHeader()) { try readField(&reader) }
            } catch {
                throw .malformed(error)
            }
        }

        private mutating func readField(_ reader: inout MessagePackReader) throws(MessagePackError) {
            switch try reader.string() {
            case "SeqNo": sequence = try reader.integer()
            case "Incarnation": incarnation = try reader.integer()
            case "Node": node = try reader.string()
            case "Name": name = try reader.string()
            case "From": from = try reader.string()
            case "SourceNode": sourceNode = try reader.string()
            case "Error": errorText = try reader.string()
            case "Addr": address = try reader.bytes() ?? []
            case "SourceAddr": sourceAddress = try reader.bytes() ?? []
            case "Target": target = try reader.bytes() ?? []
            case "Port": port = try reader.integer()
            case "SourcePort": sourcePort = try reader.integer()
            case "Payload": payload = try reader.bytes()
            case "Meta": meta = try reader.bytes()
            case "Vsn": versions = try reader.bytes() ?? []
            case "Nack": wantsNack = try reader.bool()
            case "Join": isJoin = try reader.bool()
            case "State": state = try reader.integer()
            case "Nodes": nodes = try reader.integer()
            case "UserStateLen": userStateLength = try reader.integer()
            case "UserMsgLen": userMessageLength = try reader.integer()
            default: try reader.skip()
            }
        }

        /// Where an answer goes, when both halves are there; a ping may come without.
        var source: PeerAddress? {
            sourcePort == 0 ? nil : PeerAddress(hostBytes: sourceAddress[...], port: sourcePort)
        }
    }

    static func ping(_ reader: inout MessagePackReader) throws(MembershipWireError) -> PingBody {
        let fields = try Fields(&reader)
        return PingBody(
            sequence: fields.sequence, node: fields.node, source: fields.source, sourceNode: fields.sourceNode)
    }

    static func indirectPing(
        _ reader: inout MessagePackReader
    ) throws(MembershipWireError) -> IndirectPingBody {
        let fields = try Fields(&reader)
        guard let target = PeerAddress(hostBytes: fields.target[...], port: fields.port) else {
            throw .invalidField("Target")
        }
        return IndirectPingBody(
            sequence: fields.sequence, target: target, node: fields.node, wantsNack: fields.wantsNack,
            source: fields.source, sourceNode: fields.sourceNode)
    }

    static func ack(_ reader: inout MessagePackReader) throws(MembershipWireError) -> AckBody {
        let fields = try Fields(&reader)
        return AckBody(sequence: fields.sequence, payload: fields.payload)
    }

    static func accusation(_ reader: inout MessagePackReader) throws(MembershipWireError) -> AccusationBody {
        let fields = try Fields(&reader)
        return AccusationBody(incarnation: fields.incarnation, node: fields.node, from: fields.from)
    }

    /// A member's description, in an alive (`Node`) as in a push/pull (`Name`, and a state).
    static func alive(
        _ reader: inout MessagePackReader, nameKey: String
    ) throws(MembershipWireError) -> (member: AliveBody, state: UInt64) {
        let fields = try Fields(&reader)
        guard let address = PeerAddress(hostBytes: fields.address[...], port: fields.port) else {
            throw .invalidField("Addr")
        }
        let member = AliveBody(
            incarnation: fields.incarnation, node: nameKey == "Node" ? fields.node : fields.name, address: address,
            meta: fields.meta, versions: fields.versions)
        return (member, fields.state)
    }

    static func errorText(_ reader: inout MessagePackReader) throws(MembershipWireError) -> String {
        try Fields(&reader).errorText
    }

    static func streamUser(
        _ reader: inout MessagePackReader, in bytes: ArraySlice<UInt8>
    ) throws(MembershipWireError) -> [UInt8] {
        let length = try Fields(&reader).userMessageLength
        return Array(try slice(length, from: reader.position, in: bytes, "UserMsgLen"))
    }

    /// Nodes in a state that memberlist does not define are left out; anything else wrong refuses the whole.
    static func pushPull(
        _ reader: inout MessagePackReader, in bytes: ArraySlice<UInt8>
    ) throws(MembershipWireError) -> PushPull {
        let header = try Fields(&reader)
        guard header.nodes <= UInt64(maxPushPullNodes) else { throw .tooLarge("Nodes") }
        var nodes: [PushPullNode] = []
        for _ in 0..<header.nodes {
            let (member, number) = try alive(&reader, nameKey: "Name")
            if let state = UInt8(exactly: number).flatMap(PushPullNode.State.init) {
                nodes.append(PushPullNode(member: member, state: state))
            }
        }
        let userState = try slice(header.userStateLength, from: reader.position, in: bytes, "UserStateLen")
        return PushPull(isJoin: header.isJoin, nodes: nodes, userState: Array(userState))
    }

    static func slice(
        _ length: UInt64, from position: Int, in bytes: ArraySlice<UInt8>, _ field: String
    ) throws(MembershipWireError) -> ArraySlice<UInt8> {
        guard length <= UInt64(maxStreamBytes) else { throw .tooLarge(field) }
        guard Int(length) <= bytes.endIndex - position else { throw .malformed(.truncated(at: position)) }
        return bytes[position..<(position + Int(length))]
    }
}
