import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import AutoClusterSync

@Suite("The page of the documentation")
struct DocsTests {
    /// What could end the element that the document stands in, or be taken for a place of the template.
    private static let sample =
        #"{"openapi":"3.1.0","info":{"title":"</script><!--<script>","description":"{{script}} {{style}} \"<\" ü"}}"#

    private let page = DocsPage(openAPI: ByteBuffer(string: sample))

    private var html: String { String(buffer: page.content) }

    @Test("it holds the document, which says the same as before and ends nothing")
    func document() throws {
        let parts = html.components(separatedBy: #"<script type="application/json" id="page-document">"#)
        try #require(parts.count == 2)
        let json = parts[1].components(separatedBy: "</script>")[0]
        let read = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? NSDictionary
        #expect(try read == JSONSerialization.jsonObject(with: Data(Self.sample.utf8)) as? NSDictionary)
        #expect(!json.contains("<"))
        #expect(html.components(separatedBy: "</script>").count == 3 && html.hasSuffix("</body>\n</html>\n"))
    }

    @Test("its policy allows exactly the style and the script that are in it")
    func policy() throws {
        let policy = page.contentSecurityPolicy
        for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
            let text = try #require(
                html.components(separatedBy: "<\(element)>").last?.components(separatedBy: "</\(element)>").first)
            #expect(!text.isEmpty && !text.contains("</") && !text.contains("<!--"))
            #expect(policy.contains("\(directive) 'sha256-\(try Self.sha256(text))';"))
        }
        for directive in [
            "default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'",
        ] { #expect("\(policy);".contains("\(directive);")) }
        #expect(!policy.contains("unsafe"))
        #expect(html.firstRange(of: #/\sstyle="|\son[a-z]+="/#) == nil, "the policy forbids these")
    }

    @Test("it loads nothing, and makes no markup of text")
    func selfContained() {
        let text = html.replacingOccurrences(of: "xmlns='http://www.w3.org/2000/svg'", with: "")
        for forbidden in [
            "http://", "https://", "@import", "url(", " src=", "sourceMappingURL", "innerHTML", "outerHTML",
            "insertAdjacentHTML", "document.write", "eval(", "localStorage", "sessionStorage", "document.cookie",
        ] { #expect(!text.contains(forbidden), "\(forbidden)") }
        let links = text.matches(of: /href="([^"]*)"/).map { String($0.1) }
        #expect(links.allSatisfy { $0.hasPrefix("#") || $0.hasPrefix("data:") || $0 == "/openapi.json" }, "\(links)")
    }

    @Test("it is served before the node is ready, and is not to be framed, guessed at, or kept without asking")
    func served() async throws {
        let answer = try await get()
        #expect(answer.status == 200 && answer.text == html)
        #expect(answer.headers[.contentType] == "text/html; charset=utf-8")
        #expect(answer.headers[.contentSecurityPolicy] == page.contentSecurityPolicy)
        #expect(answer.headers[.xContentTypeOptions] == "nosniff")
        #expect(answer.headers[.cacheControl] == "no-cache")
        #expect(answer.headers[.eTag]?.hasPrefix("\"") == true)
        #expect(answer.headers[.contentLength] == "\(html.utf8.count)")
    }

    @Test("who has it already gets 304 without it", arguments: ["TAG", "W/TAG", "\"a\", TAG", "\"a\" ,\tW/TAG ,", "*"])
    func notModified(tags: String) async throws {
        let tag = try #require(try await get().headers[.eTag])
        let answer = try await get(ifNoneMatch: tags.replacingOccurrences(of: "TAG", with: tag))
        #expect(answer.status == 304 && answer.bytes.isEmpty)
        #expect(answer.headers[.eTag] == tag && answer.headers[.contentLength] == nil)
        #expect(answer.headers[.contentSecurityPolicy] == page.contentSecurityPolicy)
    }

    @Test("who has another gets it", arguments: ["", "\"\"", "\"a\", W/\"b\"", ",", "W/"])
    func modified(tags: String) async throws {
        #expect(try await get(ifNoneMatch: tags).status == 200)
        let other = try await get(of: "{}").headers[.eTag]
        #expect(try await get(ifNoneMatch: other).status == 200)
    }

    @Test("it can only be read")
    func methods() async throws {
        let answer = try await get(method: .post)
        #expect(answer.isProblem(405) && answer.headers[.allow] == "GET, HEAD")
        #expect(try await get(method: .head).status == 200)
    }

    private func get(
        of document: String = Self.sample, method: HTTPRequest.Method = .get, ifNoneMatch: String? = nil
    ) async throws -> Answer {
        let endpoint = DocsEndpoint(openAPI: ByteBuffer(string: document)).endpoint
        let responder = RESTResponder([endpoint], isReady: { false }, logger: .silent)
        var head = HTTPRequest(method: method, scheme: "http", authority: "test", path: "/docs")
        head.headerFields[.ifNoneMatch] = ifNoneMatch
        let response = try await responder.respond(to: Request(head: head, body: RequestBody(buffer: ByteBuffer())))
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, bytes: collector.bytes)
    }

    /// In base64, from a program that shares no code with the node.
    private static func sha256(_ text: String) throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("docs-\(UUID().uuidString)")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, output) = try Program.run("/usr/bin/sha256sum", file.path)
        try #require(status == 0)
        let digits = Array(output.prefix(64))
        return Data(stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) })
            .base64EncodedString()
    }
}

/// What the page makes of documents and forms, carried out by another engine than a browser's.
@Suite("The script of the documentation", .enabled(if: Program.node != nil, "needs Node.js, which is not installed"))
struct DocsScriptTests {
    @Test("it keeps what docs-test.js says", .timeLimit(.minutes(1)))
    func script() throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("docs-test.js")
        let (status, output) = try Program.run(try #require(Program.node), tests.path)
        #expect(status == 0, "\(output)")
        #expect(output.contains("# fail 0"))
    }
}

/// Runs a program to its end.
private enum Program {
    static let node = ["/usr/bin/node", "/usr/local/bin/node"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static func run(_ path: String, _ arguments: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
