import Foundation
import FoundationNetworking

/// A todo as the API shows it.
struct Todo: Codable, Equatable {
    var id: Int
    var extern_id: String
    var todo: String
    var completed: Bool
    var created_at: String
}

/// What `/health/info` shows, as far as the tests look.
struct Info: Codable {
    struct Member: Codable {
        var name: String
        var addr: String
        var status: String
        var clock_offset: Double?
    }

    var node_name: String
    var ready: Bool
    var synced: Bool
    var cluster_mode: Bool
    var transport: String?
    var member_count: Int
    var members: [Member]
    var todo_count: Int
    var fingerprint: String

    func status(of name: String) -> String? { members.first { $0.name == name }?.status }
}

/// A client of one node's API.
struct REST: Sendable {
    struct Response {
        var status: Int
        var body: Data

        func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: body)
        }
    }

    struct Unexpected: Error { var status: Int; var text: String }

    private static let session: URLSession = {
        let configuration = URLSessionConfiguration.default
        configuration.httpMaximumConnectionsPerHost = 64
        configuration.timeoutIntervalForRequest = 20
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        return URLSession(configuration: configuration)
    }()

    let host: String
    let port: Int
    var url: String { "http://\(host):\(port)" }

    init(host: String = "127.0.0.1", port: Int) {
        self.host = host
        self.port = port
    }

    func request(_ method: String, _ path: String, json: [String: Any]? = nil) async throws -> Response {
        guard let url = URL(string: url + path) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        if let json {
            request.httpBody = try JSONSerialization.data(withJSONObject: json)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await Self.session.data(for: request)
        return Response(status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: data)
    }

    @discardableResult
    func create(_ externID: String, _ text: String) async throws -> Todo {
        let response = try await request("POST", "/todos", json: ["extern_id": externID, "todo": text])
        guard response.status == 201 else { throw unexpected(response) }
        return try response.decoded()
    }

    func todo(_ externID: String) async throws -> Todo? {
        let response = try await request("GET", "/todos/by-extern-id/\(Self.encode(externID))")
        if response.status == 404 { return nil }
        guard response.status == 200 else { throw unexpected(response) }
        return try response.decoded()
    }

    @discardableResult
    func update(_ externID: String, _ json: [String: Any]) async throws -> Todo {
        let response = try await request("PUT", "/todos/by-extern-id/\(Self.encode(externID))", json: json)
        guard response.status == 200 else { throw unexpected(response) }
        return try response.decoded()
    }

    func delete(_ externID: String) async throws {
        let response = try await request("DELETE", "/todos/by-extern-id/\(Self.encode(externID))")
        guard response.status == 204 else { throw unexpected(response) }
    }

    func todos() async throws -> [Todo] {
        let response = try await request("GET", "/todos")
        guard response.status == 200 else { throw unexpected(response) }
        return try response.decoded()
    }

    func info() async throws -> Info {
        let response = try await request("GET", "/health/info")
        guard response.status == 200 else { throw unexpected(response) }
        return try response.decoded()
    }

    var isReady: Bool {
        get async { (try? await request("GET", "/health/ready").status) == 200 }
    }

    private func unexpected(_ response: Response) -> Unexpected {
        Unexpected(status: response.status, text: String(decoding: response.body, as: UTF8.self))
    }

    private static func encode(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}
