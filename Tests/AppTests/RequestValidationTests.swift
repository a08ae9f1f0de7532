import Foundation
import Hummingbird
import TestSupport
import Testing
import Transport

@testable import AutoClusterSync

@Suite("The checks of a request")
struct RequestValidationTests {
    let api = RESTFixture()

    @Test("The example of the contract is answered to the byte")
    func example() async throws {
        let answer = try await api.send(.post, "/todos", #"{"extern_id":"a","todo":""}"#)
        #expect(
            answer.text == #"{"title":"Unprocessable Entity","status":422,"detail":"validation failed","#
                + #""errors":[{"message":"expected length >= 1","location":"body.todo","value":""}]}"#)
        #expect(answer.headers[.contentType] == "application/problem+json")
    }

    @Test(
        "Every fault of a body is told, with its location",
        arguments: [
            (
                #"{}"#,
                [
                    "body: expected required property extern_id to be present",
                    "body: expected required property todo to be present",
                ]
            ),
            (#"{"extern_id":"a"}"#, ["body: expected required property todo to be present"]),
            (
                #"{"extern_id":"","todo":""}"#,
                ["body.extern_id: expected length >= 1", "body.todo: expected length >= 1"]
            ),
            (#"{"extern_id":null,"todo":1}"#, ["body.extern_id: expected string", "body.todo: expected string"]),
            (#"{"extern_id":[],"todo":{}}"#, ["body.extern_id: expected string", "body.todo: expected string"]),
            (#"{"extern_id":"a","todo":true}"#, ["body.todo: expected string"]),
            (#"{"extern_id":"a","todo":"b","completed":true}"#, ["body.completed: unexpected property"]),
            (
                #"{"extern_id":"a","todo":"b","id":1,"x":2}"#,
                ["body.id: unexpected property", "body.x: unexpected property"]
            ),
            (
                #"{"Extern_ID":"a","todo":"b"}"#,
                ["body: expected required property extern_id to be present", "body.Extern_ID: unexpected property"]
            ),
            (#"[]"#, ["body: expected object"]), (#"null"#, ["body: expected object"]),
            (#""x""#, ["body: expected object"]),
            (#" 1 "#, ["body: expected object"]),
        ])
    func postFaults(body: String, faults: [String]) async throws {
        let answer = try await api.send(.post, "/todos", body)
        #expect(answer.isProblem(422) && answer.faults == faults)
        #expect(api.service.todos.isEmpty)
    }

    @Test(
        "An update is checked as well",
        arguments: [
            (#"{"completed":"true"}"#, ["body.completed: expected boolean"]),
            (#"{"completed":1}"#, ["body.completed: expected boolean"]),
            (#"{"todo":""}"#, ["body.todo: expected length >= 1"]),
            (#"{"extern_id":"b"}"#, ["body.extern_id: unexpected property"]),
            (#"{"todo":1,"completed":0}"#, ["body.todo: expected string", "body.completed: expected boolean"]),
        ])
    func putFaults(body: String, faults: [String]) async throws {
        try await api.create("a")
        let answer = try await api.send(.put, "/todos/1", body)
        #expect(answer.isProblem(422) && answer.faults == faults)
        let both = try await api.send(.put, "/todos/x", body)
        #expect(both.isProblem(422) && both.faults == ["path.id: invalid integer"] + faults)
    }

    @Test("Lengths count Unicode scalars, not bytes and not graphemes")
    func lengths() async throws {
        let (wide, family) = ("\u{1f600}", "e\u{301}")
        for (externID, text, status) in [
            (String(repeating: wide, count: 80), String(repeating: wide, count: 500), 201),
            (String(repeating: family, count: 40), String(repeating: family, count: 250), 201),
            (String(repeating: wide, count: 81), "x", 422), ("b", String(repeating: wide, count: 501), 422),
            (String(repeating: family, count: 40) + "x", "x", 422),
            ("c", String(repeating: family, count: 250) + "x", 422),
        ] {
            #expect(try await api.create(externID, text).status == status)
        }
        let answer = try await api.create(String(repeating: "x", count: 81), String(repeating: "y", count: 501))
        #expect(answer.faults == ["body.extern_id: expected length <= 80", "body.todo: expected length <= 500"])
        #expect(answer.errors.first?["value"] as? String == String(repeating: "x", count: 81))
    }

    @Test(
        "What is no JSON is a 400 at body",
        arguments: [
            "{", "}", "{]", "[1,]", #"{"a":1,}"#, #"{"a" 1}"#, #"{a:1}"#, #"{'a':1}"#, "{} {}", "{}x", "nul", "tru",
            "True", " ",
            "01", "1.", ".5", "-", "+1", "1e", "1e+", "0x1", "NaN", "Infinity", "1e999", "-1e999", #""abc"#, #""\x""#,
            #""\u12""#,
            #""\u12G4""#, #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#, #""\ud800\n""#, "\"a\nb\"",
            "\"\u{0}\"",
            #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, "\u{feff}{}", "/**/{}", "[", #"{"a":"#, "\"\\",
            String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
            String(repeating: "[", count: 500_000),
            String(repeating: #"{"a":"#, count: 100_000), "[" + String(repeating: "0,", count: 20_000) + "0]",
        ])
    func malformed(body: String) async throws {
        let answer = try await api.send(.post, "/todos", body)
        #expect(answer.isProblem(400) && answer.errors.count == 1, "\(answer.text)")
        #expect(answer.errors.first?["location"] as? String == "body")
    }

    @Test(
        "Bytes that are not UTF-8 are a 400 at body",
        arguments: [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) async throws {
        for body in [Array(#"{"extern_id":""#.utf8) + bytes + Array(#"","todo":"x"}"#.utf8), Array("{}".utf8) + bytes] {
            let answer = try await api.send(.post, "/todos", bytes: body)
            #expect(answer.isProblem(400) && answer.errors.first?["location"] as? String == "body")
        }
    }

    @Test("Nesting up to the bound is read, and refused as an object")
    func nesting() async throws {
        let body = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(try await api.send(.post, "/todos", body).isProblem(422))
    }

    @Test("No body is a 400 without a location", arguments: ["/todos", "/todos/1"])
    func noBody(path: String) async throws {
        let method: HTTPRequest.Method = path == "/todos" ? .post : .put
        for body in [nil, ""] as [String?] {
            for type in ["application/json", "text/plain", nil] {
                let answer = try await api.send(method, path, body, type: type)
                #expect(answer.isProblem(400) && answer.errors.isEmpty)
            }
        }
    }

    @Test("JSON's content types are taken, and none at all")
    func contentTypes() async throws {
        let types = [
            "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
            "application/json ;x=y",
            "application/merge-patch+json", "application/json;\u{301}a=b", "\tapplication/json\t", nil,
        ]
        for (index, type) in types.enumerated() {
            let answer = try await api.send(.post, "/todos", #"{"extern_id":"\#(index)","todo":"x"}"#, type: type)
            #expect(answer.status == 201, "\(type ?? "none")")
        }
        for type in [
            "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", "", "text/json",
            "application/json\u{37e}a", "rubbish+json", "application/+json", "/json", "application/js on", "a/b/json",
        ] {
            let answer = try await api.send(.post, "/todos", #"{"extern_id":"x","todo":"x"}"#, type: type)
            #expect(answer.isProblem(415) && answer.errors.first?["location"] as? String == "body", "\(type)")
        }
    }

    @Test("A body of 1 MiB is read, a byte more is a 413")
    func size() async throws {
        let limit = HTTPLimits().maximumBodyBytes
        let start = Array(#"{"extern_id":"a","todo":"x"}"#.utf8)
        let most = start + [UInt8](repeating: 0x20, count: limit - start.count)
        #expect(try await api.send(.post, "/todos", bytes: most).status == 201)
        let over = try await api.send(.post, "/todos", bytes: most + [0x20])
        #expect(over.isProblem(413) && over.headers[.connection] == "close")
        // What is said and what comes may differ.
        #expect(try await api.send(.post, "/todos", bytes: most + [0x20], length: 10).isProblem(413))
        #expect(try await api.send(.post, "/todos", bytes: start, length: limit + 1).isProblem(413))
    }

    @Test("Answers to absurd requests stay small")
    func boundedAnswers() async throws {
        let name = String(repeating: "n", count: 100_000)
        let many = "{" + (0..<5000).map { #""p\#($0)":0"# }.joined(separator: ",") + "}"
        for body in [#"{"\#(name)":1}"#, #"{"extern_id":"\#(name)","todo":"\#(name)"}"#, many] {
            let answer = try await api.send(.post, "/todos", body)
            #expect(answer.isProblem(422) && answer.bytes.count < 30_000 && answer.errors.count <= 100)
        }
    }

    @Test("The parser keeps texts to the byte and agrees with Foundation on what is JSON")
    func parser() throws {
        let text = #"{"\u00e9":1.50,"e\#u{301}":[true,false,null,-0,1E5,"\u0000"],"":{}}"#
        let value = try JSONParser.parse(Array(text.utf8))
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        #expect(
            Array(buffer.readableBytesView)
                == Array("{\"\u{e9}\":1.50,\"e\u{301}\":[true,false,null,-0,1E5,\"\\u0000\"],\"\":{}}".utf8))
        let many = "{" + (0..<40).map { #""k\#($0)":0"# }.joined(separator: ",")
        #expect(throws: Never.self) { try JSONParser.parse(Array((many + "}").utf8)) }
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(Array((many + #","k39":0}"#).utf8)) }
    }

    @Test("5,000 mutated bodies are answered, each with JSON")
    func mutations() async throws {
        let samples = [
            #"{"extern_id":"a\u00e9\ud83d\ude00","todo":"text \"x\" \\ é","$schema":"s"}"#,
            #"{"todo":null,"completed":true}"#, #"[1,-2.5e+3,{"a":[[],{}]},"\n",true,false,null]"#,
        ].map { Array($0.utf8) }
        var mutator = Mutator(seed: 42, samples: samples, tokens: ["{", "}", "\"", ",", ":"].map { Array($0.utf8) })
        for _ in 0..<5_000 {
            let answer = try await api.send(.post, "/todos", bytes: mutator.next())
            #expect([201, 409, 400, 422].contains(answer.status) && answer.json != nil)
        }
    }
}
