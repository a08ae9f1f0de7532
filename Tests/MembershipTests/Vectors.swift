import Foundation
import Membership
import Testing
import Transport

/// The golden vectors of memberlist, as in `Fixtures/memberlist-vectors.json`.
struct Vector: CustomTestStringConvertible, @unchecked Sendable {
    let name: String
    let kind: String
    let producer: String
    let bytes: [UInt8]
    /// JSON values only, never changed: safe to share.
    let expect: [String: Any]

    var testDescription: String { name }

    /// Written once, never changed.
    nonisolated(unsafe) static let file: [String: Any] = {
        guard
            let url = Bundle.module.url(
                forResource: "memberlist-vectors", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { fatalError("the golden vectors are missing") }
        return object
    }()

    static let all: [Vector] = (file["vectors"] as? [[String: Any]] ?? []).map { entry in
        Vector(
            name: entry["name"] as? String ?? "?", kind: entry["kind"] as? String ?? "?",
            producer: entry["producer"] as? String ?? "?", bytes: hex(entry["hex"] as? String ?? ""),
            expect: entry["expect"] as? [String: Any] ?? [:])
    }

    static func formula(_ name: String) -> [[String: Int]] {
        ((file["formulas"] as? [String: Any])?[name] as? [[String: Any]] ?? []).map { row in
            row.compactMapValues { ($0 as? NSNumber)?.intValue }
        }
    }

    static func hex(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).map { index in
            UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) ?? 0
        }
    }

    static func bytes(_ value: Any?) -> [UInt8]? {
        ((value as? [String: Any])?["hex"] as? String).map(hex)
    }

    /// The message that a vector's description stands for; `nil` for layers that only foreign nodes use.
    static func message(_ expect: [String: Any]) -> MembershipMessage? {
        if let nodes = expect["nodes"] as? [[String: Any]], let header = expect["header"] as? [String: Any] {
            return .pushPull(
                PushPull(
                    isJoin: header["Join"] as? Bool ?? false, nodes: nodes.compactMap(node),
                    userState: bytes(expect["userState"]) ?? []))
        }
        let body = expect["body"] as? [String: Any] ?? [:]
        let sequence = number(body["SeqNo"], UInt32.self)
        let name = body["Node"] as? String ?? ""
        let accusation = AccusationBody(
            incarnation: number(body["Incarnation"], UInt32.self), node: name, from: body["From"] as? String ?? "")
        switch expect["type"] as? Int {
        case 0:
            return .ping(
                PingBody(
                    sequence: sequence, node: name, source: source(body),
                    sourceNode: body["SourceNode"] as? String ?? ""))
        case 1:
            guard let target = address(body["Target"], body["Port"]) else { return nil }
            return .indirectPing(
                IndirectPingBody(
                    sequence: sequence, target: target, node: name, wantsNack: body["Nack"] as? Bool ?? false,
                    source: source(body), sourceNode: body["SourceNode"] as? String ?? ""))
        case 2: return .ack(AckBody(sequence: sequence, payload: bytes(body["Payload"])))
        case 3: return .suspect(accusation)
        case 4: return alive(body, name: name).map { .alive($0) }
        case 5: return .dead(accusation)
        case 8: return bytes(expect["payload"]).map { .user($0) }
        case 11: return .nack(NackBody(sequence: sequence))
        case 13: return .error(body["Error"] as? String ?? "")
        default: return nil
        }
    }

    private static func node(_ body: [String: Any]) -> PushPullNode? {
        guard let alive = alive(body, name: body["Name"] as? String ?? ""),
            let state = PushPullNode.State(rawValue: number(body["State"], UInt8.self))
        else { return nil }
        return PushPullNode(member: alive, state: state)
    }

    private static func alive(_ body: [String: Any], name: String) -> AliveBody? {
        guard let address = address(body["Addr"], body["Port"]) else { return nil }
        return AliveBody(
            incarnation: number(body["Incarnation"], UInt32.self), node: name, address: address,
            meta: bytes(body["Meta"]), versions: bytes(body["Vsn"]) ?? [])
    }

    private static func source(_ body: [String: Any]) -> PeerAddress? {
        address(body["SourceAddr"], body["SourcePort"])
    }

    private static func address(_ host: Any?, _ port: Any?) -> PeerAddress? {
        bytes(host).flatMap { PeerAddress(hostBytes: $0[...], port: number(port, UInt16.self)) }
    }

    private static func number<Value: FixedWidthInteger>(_ value: Any?, _ type: Value.Type) -> Value {
        Value(truncatingIfNeeded: (value as? NSNumber)?.int64Value ?? 0)
    }
}

/// The parts of a compound message. Peeling is the transport's work; the tests do it to reach the messages inside.
func compoundParts(_ bytes: [UInt8]) -> [[UInt8]]? {
    var reader = ByteReader(bytes)
    guard (try? reader.integer(UInt8.self)) == 7, let count = try? reader.integer(UInt8.self) else { return nil }
    var lengths: [UInt16] = []
    for _ in 0..<count {
        guard let length = try? reader.integer(UInt16.self) else { return nil }
        lengths.append(length)
    }
    var parts: [[UInt8]] = []
    for length in lengths {
        guard let part = try? reader.slice(Int(length)) else { break }
        parts.append(Array(part))
    }
    return parts
}
