internal import HTTPTypes
internal import Hummingbird
internal import Membership
internal import NIOCore

extension Schema {
    static let ready = object(
        named: "Ready",
        [
            .required("ready", boolean.example(.boolean(true))),
            .required("message", string().example(.string("Node is ready"))),
        ])

    static let member = object(
        named: "Member",
        [
            .required("name", string().example(.string("node-1"))),
            .required("addr", string().noted("Where its transport listens.").example(.string("127.0.0.1:7946"))),
            .required("status", string(values: MemberStatus.allCases.map(\.rawValue))),
            .optional(
                "http", string().noted("Where its REST API listens.").example(.string("http://127.0.0.1:8080"))),
            .optional("last_seen", string(format: "date-time").example(.string("2026-01-02T03:04:05.678Z"))),
            .optional(
                "lag",
                number.noted("Seconds: the age of the oldest change that has not arrived here from it.")
                    .example(.number("0.000"))),
            .optional(
                "clock_offset",
                number.noted("Seconds: how far its wall clock is ahead of this node's.").example(.number("-0.012"))),
        ])

    /// `transport`: the kind of this node's, as the example; `nil` for a node that stands alone, which has none to show.
    static func info(transport: String?) -> Self {
        let kind = string().noted("What `node.transport.kind` says; not of a node that stands alone.")
        return object(
            named: "Info",
            [
                .required("node_name", string().example(.string("node-1"))),
                .required("ready", boolean.example(.boolean(true))),
                .required(
                    "synced",
                    boolean.noted("Whether the first synchronisation was finished.").example(.boolean(true))),
                .required("cluster_mode", boolean.example(.boolean(true))),
                .optional("transport", transport.map { kind.example(.string($0)) } ?? kind),
                .required("member_count", integer(0...Int64.max).example(.number("1"))),
                .required("members", array(of: member).noted("With this node itself.")),
                .required("todo_count", integer(0...Int64.max).example(.number("42"))),
                .required(
                    "fingerprint",
                    string().noted("Equal on two nodes: they hold the same data.")
                        .example(.string("00000000000000000000000000000000"))),
            ])
    }
}

extension Operation {
    /// Open, for those who only look whether the node is there.
    static let healthReady = Operation(
        id: "health-ready", method: .get, path: "/health/ready", tag: .health, summary: "Whether the node is ready",
        answer: Answer(status: .ok, note: "The node is ready.", schema: .ready),
        errors: [.notReady], isAlwaysServed: true, isOpen: true)

    /// `transport`: the kind of this node's, if it has one.
    static func healthInfo(transport: String?) -> Self {
        Operation(
            id: "health-info", method: .get, path: "/health/info", tag: .health, summary: "The node and its cluster",
            answer: Answer(status: .ok, note: "What this node knows.", schema: .info(transport: transport)),
            isAlwaysServed: true)
    }
}

/// Tells how the node is, from the first moment.
struct HealthEndpoints: Sendable {
    let isReady: @Sendable () -> Bool
    let status: @Sendable () async -> NodeStatus
    /// The kind of this node's transport; `nil` for one that stands alone.
    var transport: String?

    var all: [Endpoint] {
        [
            Endpoint(operation: .healthReady) { _ in
                guard isReady() else { throw Problem.notReady }
                return .json(.ok, ByteBuffer(string: #"{"ready":true,"message":"Node is ready"}"#))
            },
            Endpoint(operation: .healthInfo(transport: transport)) { _ in
                var buffer = ByteBuffer()
                buffer.writeJSON(await status())
                return .json(.ok, buffer)
            },
        ]
    }
}

extension ByteBuffer {
    fileprivate mutating func writeJSON(_ status: NodeStatus) {
        writeStaticString(#"{"node_name":"#)
        writeJSON(status.nodeName)
        writeStaticString(#","ready":"#)
        writeJSON(status.isReady)
        writeStaticString(#","synced":"#)
        writeJSON(status.isSynced)
        writeStaticString(#","cluster_mode":"#)
        writeJSON(status.isClusterMode)
        if let transport = status.transport {
            writeStaticString(#","transport":"#)
            writeJSON(transport)
        }
        writeStaticString(#","member_count":"#)
        writeString(String(status.members.count))
        writeStaticString(#","members":["#)
        for (index, member) in status.members.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeJSON(member)
        }
        writeStaticString(#"],"todo_count":"#)
        writeString(String(status.todoCount))
        writeStaticString(#","fingerprint":"#)
        writeJSON(status.fingerprint)
        writeStaticString("}")
    }

    private mutating func writeJSON(_ member: NodeStatus.Member) {
        writeStaticString(#"{"name":"#)
        writeJSON(member.name)
        writeStaticString(#","addr":"#)
        writeJSON(member.address)
        writeStaticString(#","status":"#)
        writeJSON(member.status.rawValue)
        if let http = member.http {
            writeStaticString(#","http":"#)
            writeJSON(http)
        }
        if let lastSeen = member.lastSeenMilliseconds {
            writeStaticString(#","last_seen":""#)
            writeTimestamp(milliseconds: lastSeen)
            writeStaticString("\"")
        }
        if let lag = member.lag {
            writeStaticString(#","lag":"#)
            writeSeconds(max(lag, .zero))
        }
        if let offset = member.clockOffset {
            writeStaticString(#","clock_offset":"#)
            writeSeconds(offset)
        }
        writeStaticString("}")
    }

    /// With three digits.
    private mutating func writeSeconds(_ duration: Duration) {
        let (seconds, attoseconds) = (duration < .zero ? .zero - duration : duration).components
        let milliseconds = String(attoseconds / 1_000_000_000_000_000)
        if duration <= .milliseconds(-1) { writeStaticString("-") }
        writeString("\(seconds)." + String(repeating: "0", count: 3 - milliseconds.utf8.count) + milliseconds)
    }
}
