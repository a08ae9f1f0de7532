internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

extension Operation {
    static let docs = Operation(
        id: "docs", method: .get, path: "/docs", tag: .service, summary: "The reference of this API, for people",
        parameters: [.ifNoneMatch], answer: Answer(status: .ok, note: "A page."), isAlwaysServed: true)
}

/// Serves the reference of the API, from the first moment: the page is made once.
struct DocsEndpoint: Sendable {
    private let page: DocsPage
    private let entityTag: EntityTag

    /// - Parameter openAPI: the OpenAPI document of the node, as JSON.
    init(openAPI: ByteBuffer) {
        page = DocsPage(openAPI: openAPI)
        entityTag = EntityTag(of: page.content)
    }

    var endpoint: Endpoint { Endpoint(operation: .docs) { try answer(to: Preconditions($0)) } }

    private func answer(to preconditions: Preconditions) throws -> Response {
        var headers: HTTPFields = [
            // A node that was updated shows its new page; else the tag saves sending it again.
            .cacheControl: "no-cache", .eTag: "\(entityTag)", .contentType: "text/html; charset=utf-8",
            .contentSecurityPolicy: page.contentSecurityPolicy, .xContentTypeOptions: "nosniff",
        ]
        if let referrerPolicy = HTTPField.Name("Referrer-Policy") { headers[referrerPolicy] = "no-referrer" }
        return try preconditions.answer(for: entityTag, headers)
            ?? Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: page.content))
    }
}
