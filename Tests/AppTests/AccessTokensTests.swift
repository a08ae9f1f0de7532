import Foundation
import HTTPTypes
import Hummingbird
import Keys
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import AutoClusterSync

@Suite("Access tokens")
struct AccessTokensTests {
    private static let token = "correct-horse-battery"

    @Test("Without tokens everything is answered, with them only who shows one is")
    func required() async throws {
        let open = RESTFixture()
        #expect(try await open.get("/todos").status == 200)
        let fixture = try RESTFixture(tokens: [Self.token, "another-of-the-tokens=="])
        for field in [
            "Bearer \(Self.token)", "bearer \(Self.token)", "BEARER   \(Self.token)", "Bearer another-of-the-tokens==",
        ] {
            #expect(try await fixture.get("/todos", authorization: [field]).status == 200, "\(field)")
        }
    }

    @Test(
        "Who shows none, or shows it in another way, gets 401 without an error code",
        arguments: [[], ["Basic dXNlcjpwYXNzd29yZA=="], [token], ["Bearer\t\(token)"], [""], ["Token \(token)"]])
    func absent(fields: [String]) async throws {
        let answer = try await RESTFixture(tokens: [Self.token]).get("/todos", authorization: fields)
        #expect(answer.isProblem(401))
        #expect(answer.headers[values: .wwwAuthenticate] == ["Bearer realm=\"auto-cluster-sync\""])
    }

    @Test(
        "Who shows a wrong one gets 401 with invalid_token, and does not see it again",
        arguments: [
            "\(token)x", "correct-horse-batter", "x\(token)", token.uppercased(), "", "\(token), Bearer x",
            "\(token)\u{e9}", String(repeating: "a", count: 16_000),
        ])
    func wrong(token: String) async throws {
        let answer = try await RESTFixture(tokens: [Self.token]).get("/todos", authorization: ["Bearer \(token)"])
        #expect(answer.isProblem(401))
        #expect(
            answer.headers[values: .wwwAuthenticate] == [
                "Bearer realm=\"auto-cluster-sync\", error=\"invalid_token\""
            ])
        #expect(token.utf8.count < 10 || !answer.text.contains(token))
    }

    @Test("Several Authorization headers are refused with 400 and invalid_request, also when one is right")
    func repeated() async throws {
        let right = "Bearer \(Self.token)"
        for fields in [[right, right], ["Bearer x", right], [right, "Basic x"]] {
            let answer = try await RESTFixture(tokens: [Self.token]).get("/todos", authorization: fields)
            #expect(answer.isProblem(400))
            #expect(answer.headers[.wwwAuthenticate]?.hasSuffix(", error=\"invalid_request\"") == true)
        }
    }

    @Test("Every operation and every unknown path or method is closed before it is looked at, but for readiness")
    func everywhere() async throws {
        let fixture = try RESTFixture(tokens: [Self.token])
        let endpoints =
            HealthEndpoints(isReady: { true }, status: { .sample }).all
            + TodoEndpoints(service: MemoryTodoService()).all
        var requests = endpoints.map { ($0.operation.method, $0.operation.path) }
            .filter { $0.1 != "/health/ready" }
        requests += [
            (.get, "/"), (.get, "/nope"), (.get, ""), (.options, "/todos"), (.post, "/health/ready"),
            (.delete, "/health/ready"), (.get, "/health/ready/"), (.head, "/todos"),
            (.get, "//health/ready"), (.get, "/todos/0"), (.connect, ""),
        ]
        for isReady in [true, false] {
            fixture.isReady.withLockedValue { $0 = isReady }
            for (method, path) in requests {
                #expect(try await fixture.send(method, path, "{").status == 401, "\(method) \(path)")
            }
            for method in [HTTPRequest.Method.get, .head] {
                for path in ["/health/ready", "/health/ready?x=y", "/health/re%61dy"] {
                    #expect(try await fixture.send(method, path).status == (isReady ? 200 : 503))
                }
            }
        }
    }

    @Test("A refusal reads no body, and ends the connection when a long one would follow")
    func bodies() async throws {
        let fixture = try RESTFixture(tokens: [Self.token])
        let answer = try await fixture.send(.post, "/todos", bytes: [1], length: 1 << 40)
        #expect(answer.isProblem(401) && answer.headers[.connection] == "close")
        let short = try await fixture.send(.post, "/todos", bytes: [1], length: 1)
        #expect(short.isProblem(401) && short.headers[.connection] == nil)
    }

    @Test("Replaced tokens count at once, and only they")
    func rotation() throws {
        let tokens = try AccessTokens([try #require(AccessToken("first-of-the-tokens"))])
        #expect(tokens.refusal(of: .bearing("first-of-the-tokens")) == nil)
        try tokens.replace(with: [try #require(AccessToken("second-of-the-tokens"))])
        #expect(tokens.refusal(of: .bearing("first-of-the-tokens"))?.status == .unauthorized)
        #expect(tokens.refusal(of: .bearing("second-of-the-tokens")) == nil)
    }

    @Test("A set finds each of its secrets and nothing else, and shows none")
    func secretSet() throws {
        let secrets = (0..<100).map { Array("secret number \($0)".utf8) }
        let set = try SecretSet(secrets)
        #expect(secrets.allSatisfy(set.contains) && set.count == 100)
        #expect(!set.contains([]) && !set.contains(Array("secret number 100".utf8)))
        #expect(try !SecretSet([]).contains([]))
        var dumped = ""
        dump(set, to: &dumped)
        #expect(!"\(set) \(String(reflecting: set)) \(dumped)".contains("[") && dumped.utf8.count < 100)
    }

    @Test("Tokens are what RFC 6750 calls a b64token, of 16 to 512 bytes, and are not shown")
    func tokenCharacters() throws {
        for text in ["abcdefghijklmnop", "ABC-._~+/0123456==", String(repeating: "z", count: 512)] {
            #expect(AccessToken(text)?.bytes == Array(text.utf8))
        }
        for text in [
            "", "abcdefghijklmno", String(repeating: "z", count: 513), "abcdefgh ijklmnop", "abcdefghijklmnop\n",
            "abcdefghijklmno\u{e9}", "abcdefgh=ijklmnop", "================", "abcdefghijklmnop\0", "abcdefghijklmno,",
        ] {
            #expect(AccessToken(text) == nil, "\(text)")
        }
        let token = try #require(AccessToken("abcdefghijklmnop"))
        var settings = Settings.HTTP()
        settings.tokens = .token(token)
        var dumped = ""
        dump(settings, to: &dumped)
        let shown = "\(token) \(String(reflecting: token)) \(settings) \(dumped)"
        #expect(!shown.contains("abcdefghijklmnop") && !shown.contains("97"))
    }

    @Test("A file has one token a line; blank lines and comments say nothing")
    func file() throws {
        let text =
            "# of the first client\nabcdefghijklmnop\n\n \t# of the second\r\n  bcdefghijklmnopq \r\n#\ncdefghijklmnopqr"
        let tokens = try AccessTokenFile.parse(Array(text.utf8))
        #expect(tokens == ["abcdefghijklmnop", "bcdefghijklmnopq", "cdefghijklmnopqr"].compactMap { AccessToken($0) })
        let most = Array(repeating: "abcdefghijklmnop", count: AccessTokenFile.maximumCount).joined(separator: "\n")
        #expect(try AccessTokenFile.parse(Array(most.utf8)).count == AccessTokenFile.maximumCount)
    }

    @Test("A file without a token, with too many, or with something else is a fault that shows none of it")
    func wrongFiles() {
        let many = Array(repeating: "abcdefghijklmnop", count: AccessTokenFile.maximumCount + 1).joined(separator: "\n")
        for (bytes, part) in [
            (Array("".utf8), "no token"), (Array("# only\n\n".utf8), "no token"), ([0xff], "UTF-8"),
            (Array("abcdefghijklmnop\nsecret word here\n".utf8), "line 2"), (Array(many.utf8), "at most 100"),
            (Array("abcdefghijklmnop # mine".utf8), "line 1"),
        ] {
            let error = #expect(throws: AccessTokenFile.Fault.self) { try AccessTokenFile.parse(bytes) }
            #expect(error?.description.contains(part) == true && error?.description.contains("secret") == false)
        }
    }
}

extension RESTFixture {
    fileprivate init(tokens: [String]) throws {
        self.init(tokens: try AccessTokens(tokens.map { try #require(AccessToken($0)) }))
    }

    fileprivate func get(_ path: String, authorization: [String]) async throws -> Answer {
        try await send(.get, path, bytes: nil, authorization: authorization)
    }
}

extension Request {
    /// `GET /todos` with a token.
    static func bearing(_ token: String) -> Request {
        Request(
            head: HTTPRequest(
                method: .get, scheme: nil, authority: nil, path: "/todos",
                headerFields: [.authorization: "Bearer \(token)"]), body: RequestBody(buffer: ByteBuffer()))
    }
}
