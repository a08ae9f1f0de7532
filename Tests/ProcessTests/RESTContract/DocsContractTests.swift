import Testing

extension RESTContract {
    @Suite("Documentation page")
    struct Docs {
        @Test("GET /docs is 200 with a page, HEAD as well")
        func page() async throws {
            let client = try SharedNode.client
            let answer = try await client.get("/docs")
            #expect(answer.status == 200 && answer["content-type"]?.hasPrefix("text/html") == true)
            #expect(answer.text.lowercased().hasPrefix("<!doctype html>"))
            let head = try await client.send("HEAD", "/docs")
            #expect(head.status == 200 && head["content-type"] == answer["content-type"])
            let post = try await client.send("POST", "/docs")
            #expect(post.isProblem(405) && post["allow"] == "GET, HEAD")
        }

        @Test("the page is over the OpenAPI document: it names each of its operations, or loads it from the node")
        func operations() async throws {
            let page = try await SharedNode.client.get("/docs").text
            let ids = [
                "health-ready", "health-info", "list-todos", "get-todo", "create-todo", "update-todo", "delete-todo",
            ]
            #expect(ids.allSatisfy { page.contains($0) } || page.contains("openapi.json"))
        }

        @Test("the page works with no network: what it loads comes from the node, and is there")
        func noNetwork() async throws {
            let client = try SharedNode.client
            let answer = try await client.get("/docs")
            #expect(answer.status == 200)
            // What a browser loads by itself: of links those that are for the page, not those to follow.
            let tags = answer.text.matches(of: /<(?:script|link|img|iframe|source|use)\b[^>]*?\b(?:src|href)="([^"]*)"/)
            for address in tags.map({ String($0.1) }) where !address.hasPrefix("data:") && !address.hasPrefix("#") {
                #expect(!address.contains("//"), "\(address)")
                let path = address.hasPrefix("/") ? address : "/\(address)"
                #expect(try await client.get(path).status == 200, "\(address)")
            }
            for foreign in ["@import", "url(http", "url(//", "import(\"http", "from \"http"] {
                #expect(!answer.text.contains(foreign), "\(foreign)")
            }
        }

        @Test("the page is there before the node is ready")
        func beforeReady() async throws {
            let cluster = try TestCluster(2, transport: Transports.all[0], seeds: { _ in [1] }, joinTimeout: 60)
            let client = RawClient(port: cluster.members[0].httpPort)
            try cluster.start(0)
            try await cluster.eventually("the node answers", within: 20) {
                try await client.get("/health/ready").status == 503
            }
            #expect(try await client.get("/docs").status == 200)
            #expect(try await client.get("/openapi.json").status == 200)
        }
    }
}
