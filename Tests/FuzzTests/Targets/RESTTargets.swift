import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Store
import Transport

@testable import AutoClusterSync

extension FuzzTarget {
    static let rest = [
        FuzzTarget(name: "json", tokens: jsonTokens, samples: { $0.jsonTexts() }, check: checkJSON),
        FuzzTarget(name: "todo-bodies", tokens: jsonTokens, samples: { $0.bodies() }, check: checkBody),
        FuzzTarget(
            name: "paths",
            tokens: ["%", "%2F", "%00", "%ff", "%e9", "%C3%A9", "//", "?", "#", "..", "+1", "-1", "é"].map {
                Array($0.utf8)
            },
            samples: { $0.paths() }, check: checkPath),
        FuzzTarget(
            name: "queries",
            tokens: ["limit=", "cursor=", "completed=", "true", "&", "=", "%", "%26", "%00", "%ff", "+", "é"].map {
                Array($0.utf8)
            },
            samples: { $0.queries() }, check: checkQuery),
        FuzzTarget(
            name: "entity-tags", tokens: ["W/", "\"", "\"\"", ",", ", ", "*", "\t", "é", "\\"].map { Array($0.utf8) },
            samples: { $0.tagLists() }, check: checkTags),
        FuzzTarget(
            name: "utc-time",
            samples: { random in
                (0..<100).map { _ in
                    var bytes: [UInt8] = []
                    bytes.append(bigEndian: random.number(UInt64.self) >> UInt64(random.int(40)))
                    return bytes
                }
            }, check: checkTime),
    ]

    private static let jsonTokens: [[UInt8]] =
        [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "null", "true",
            "-0", "1e999", "1e-999", "0.1e+1", "01", "NaN", "\"extern_id\":", "\"todo\":\"\",", "\"completed\":false,",
            "\"$schema\":1,", "\u{0}", "\u{feff}", "e\u{301}", "{\"a\":{\"a\":{\"a\":", "[[[[[[[[", "/**/", "\t\r\n",
        ].map { Array($0.utf8) } + [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]

    /// What is read is read the same when it is written again, and by Foundation.
    private static func checkJSON(_ input: [UInt8]) throws {
        guard let value = try? JSONParser.parse(input) else { return }
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        try require(buffer.readableBytes <= 6 * input.count, "\(input.count) bytes became \(buffer.readableBytes)")
        try require(try JSONParser.parse(buffer.readableBytesView) == value, "a value is read as another")
        let isJSON = (try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)) != nil
        try require(isJSON, "something is read that Foundation refuses")
    }

    /// As `RESTResponder` reads a body.
    private static func checkBody(_ input: [UInt8]) throws {
        for schema in [Schema.createTodo, .updateTodo] {
            var faults = RequestFaults()
            let problem: Problem
            do throws(JSONSyntaxError) {
                let value = try JSONParser.parse(input)
                schema.check(value, at: "body", &faults)
                guard !faults.list.isEmpty else {
                    guard case .object(let object) = value else { throw JSONSyntaxError(message: "passed", offset: 0) }
                    let counts = ["extern_id": 1...80, "todo": 1...500]
                    for (name, range) in counts {
                        guard let count = object.string(name)?.unicodeScalars.count else { continue }
                        if !range.contains(count) { throw JSONSyntaxError(message: "passed", offset: count) }
                    }
                    continue
                }
                problem = .invalid(faults)
            } catch {
                try require(error.message != "passed", "a body passes that must not")
                problem = .malformed(error)
            }
            let bytes = problem.response().body.contentLength ?? 0
            try require(bytes <= 8 * input.count + 16_384, "\(input.count) bytes are answered with \(bytes)")
        }
    }

    private static let routes = RouteTable(
        [
            .listTodos, .createTodo, .getTodo, .updateTodo, .deleteTodo, .getTodoByExternID, .updateTodoByExternID,
            .deleteTodoByExternID,
        ].map { operation in Endpoint(operation: operation) { _ in throw Problem.unexpected } })

    private static func checkPath(_ input: [UInt8]) throws {
        let path = URI(String(decoding: input, as: UTF8.self)).path
        for text in [path, String(decoding: input, as: UTF8.self)] {
            guard case .endpoint(let endpoint, let raw) = routes.match(.get, text) else { continue }
            for (parameter, raw) in zip(endpoint.operation.parameters, raw) {
                guard let decoded = PercentEncoding.decode(raw) else { continue }
                let encoded = decoded.utf8.map { "%\(String($0 >> 4, radix: 16))\(String($0 & 15, radix: 16))" }
                    .joined()
                let again = PercentEncoding.decode(encoded[...].utf8)
                try require(again?.isSame(as: decoded) == true, "\(decoded) is read otherwise")
                var faults = RequestFaults()
                let value = parameter.schema.read(decoded, at: "path", &faults)
                try require((value == nil) == !faults.list.isEmpty, "a parameter is neither read nor refused")
                if case .integer(let number)? = value { try require(number > 0, "\(decoded) is read as \(number)") }
            }
        }
    }

    /// As `list-todos` reads its parameters.
    private static func checkQuery(_ input: [UInt8]) throws {
        let head = HTTPRequest(
            method: .get, scheme: "http", authority: "x", path: "/todos?" + String(decoding: input, as: UTF8.self))
        var reader = ParameterReader(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), pathSegments: [])
        var (arguments, faults) = (Arguments(), RequestFaults())
        for parameter in Operation.listTodos.parameters {
            arguments.parameters.append((parameter.name, reader.read(parameter, &faults)))
        }
        guard faults.list.isEmpty else { return }
        let list = TodoList(arguments)
        try require(
            (1...TodoList.maximumLimit).contains(Int64(list.limit ?? 1)), "a limit of \(list.limit ?? 0) passes")
        guard let cursor = list.cursor else { return }
        try require(TodoCursor(text: cursor.text) == cursor, "\(cursor) has another text than it came with")
    }

    /// What is read is read the same when it is written again.
    private static func checkTags(_ input: [UInt8]) throws {
        guard case .tags(let tags) = EntityTagList(String(decoding: input, as: UTF8.self)), !tags.isEmpty else {
            return
        }
        let text = tags.map(\.description).joined(separator: ", ")
        guard case .tags(let again) = EntityTagList(text) else { throw Broken(description: "\(text) is taken for *") }
        try require(again.count == tags.count, "\(tags.count) tags became \(again.count)")
        for (tag, other) in zip(tags, again) {
            try require(tag.description.isSame(as: other.description), "\(tag) became \(other)")
        }
    }

    private static func checkTime(_ input: [UInt8]) throws {
        let milliseconds = input.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
        var buffer = ByteBuffer()
        buffer.writeTimestamp(milliseconds: milliseconds)
        let text = String(buffer: buffer)
        try require(text.utf8.count == 24, "\(milliseconds) is written as \(text)")
        // From the year 1 to 9999; what lies outside is held at the ends.
        guard (-62_135_596_800_000...253_402_300_799_999).contains(milliseconds) else {
            let end: Int64 = milliseconds < 0 ? -62_135_596_800_000 : 253_402_300_799_999
            return try require(Timestamp.parse(text) == end, "\(milliseconds) is written as \(text)")
        }
        try require(Timestamp.parse(text) == milliseconds, "\(milliseconds) is written as \(text)")
        try require(Timestamp.format(milliseconds) == text, "\(milliseconds) has two texts")
        guard milliseconds >= 0 else { return }
        let date = HTTPDate.text(second: Int(milliseconds / 1000))
        try require(date.utf8.count == 29, "\(milliseconds) is the date \(date)")
    }
}

extension RandomValues {
    private mutating func json(depth: Int) -> JSONValue {
        switch int(depth > 4 ? 5 : 8) {
        case 0: .null
        case 1: .boolean(bool())
        case 2: .number(pick(["0", "-0", "1", "12345678901234567890", "1.5e-7", "-3.25", "1E+5"]))
        case 3, 4: .string(text(upTo: int(10) == 0 ? 600 : 20))
        case 5: .array((0..<int(5)).map { _ in json(depth: depth + 1) })
        default:
            .object(
                JSONObject(
                    members: (0..<int(12)).map { .init(name: "\($0)" + text(upTo: 5), value: json(depth: depth + 1)) }))
        }
    }

    private static func text(_ value: JSONValue) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return Array(buffer.readableBytesView)
    }

    fileprivate mutating func jsonTexts() -> [[UInt8]] { (0..<200).map { _ in Self.text(json(depth: 0)) } }

    fileprivate mutating func bodies() -> [[UInt8]] {
        (0..<200).map { _ in
            var object = JSONObject()
            if int(4) > 0 { object.members.append(.init(name: "extern_id", value: .string("a" + text(upTo: 79)))) }
            if int(4) > 0 { object.members.append(.init(name: "todo", value: .string("b" + text(upTo: 499)))) }
            if int(4) == 0 { object.members.append(.init(name: "completed", value: .boolean(bool()))) }
            if int(8) == 0 { object.members.append(.init(name: text(upTo: 120), value: json(depth: 2))) }
            return Self.text(.object(object))
        }
    }

    fileprivate mutating func queries() -> [[UInt8]] {
        (0..<100).map { _ in
            let cursor = TodoCursor(
                createdAtMilliseconds: Int64(bitPattern: number(UInt64.self)),
                id: Int64(bitPattern: number(UInt64.self)))
            let items = ["limit=\(int(1_200))", "cursor=\(cursor.text)", "completed=\(bool())", "x=\(text(upTo: 5))"]
            return Array(items.filter { _ in bool() }.joined(separator: "&").utf8)
        }
    }

    fileprivate mutating func tagLists() -> [[UInt8]] {
        (0..<100).map { _ in
            let tags = (0..<int(4)).map { _ in
                EntityTag(isWeak: bool(), opaque: pick(["", "a", "a,b", "é", "00ff00ff00ff00ff"])).description
            }
            return Array((tags.isEmpty ? "*" : tags.joined(separator: pick([",", ", ", " , ", ",,"]))).utf8)
        }
    }

    fileprivate mutating func paths() -> [[UInt8]] {
        (0..<100).map { _ in
            let id = pick(["1", "9223372036854775807", "a%20b", "%C3%A9", "%F0%9F%98%80", "x"])
            return Array(
                pick(["/todos", "/todos/\(id)", "/todos/by-extern-id/\(id)", "http://h:1/todos/\(id)?a=b"]).utf8)
        }
    }
}
