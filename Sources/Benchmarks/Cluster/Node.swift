internal import Foundation
internal import Runtime

/// One real node: a process of this executable on free ports of 127.0.0.1, seen from outside. For one thread at a time.
final class Node {
    /// What a node is told to be.
    struct Options {
        /// What its cluster talks over; unused where it stands alone.
        var transport = ""
        /// base64; empty for none.
        var key = ""
        /// Ports of the nodes it asks first; `nil`: it stands alone.
        var seeds: [UInt16]?
        var logLevel = "warn"
    }

    /// What `/health/info` says, of which the rest is not asked for.
    struct Info: Decodable {
        struct Member: Decodable {
            var name: String
            var status: String
        }

        var fingerprint: String
        var todo_count: Int
        var members: [Member]
    }

    let name: String
    let port: UInt16
    let httpPort: UInt16
    let options: Options
    private(set) var figures: ProcessFigures
    private let fleet: Fleet
    private var process: Process?
    private var connection: HTTPConnection?

    /// Nothing runs before `start`. Files go to the fleet's directory.
    init(_ name: String, in fleet: Fleet, port: UInt16, httpPort: UInt16, _ options: Options) {
        (self.name, self.fleet, self.port, self.httpPort, self.options) = (name, fleet, port, httpPort, options)
        figures = ProcessFigures(pid: 0)
    }

    var databasePath: String { "\(fleet.directory)/\(name).db" }
    var logPath: String { "\(fleet.directory)/\(name).log" }

    func start() throws(BenchmarkError) {
        connection = nil
        let path = "\(fleet.directory)/\(name).yaml"
        do {
            try configuration.write(toFile: path, atomically: false, encoding: .utf8)
            process = try fleet.start(["-config", path], log: logPath)
        } catch {
            throw .failed("\(name) cannot be started: \(error)")
        }
        figures = ProcessFigures(pid: process?.processIdentifier ?? 0)
    }

    /// SIGKILL: what was not durable is lost.
    func crash() {
        connection = nil
        guard let process else { return }
        fleet.end(process)
        self.process = nil
    }

    /// SIGTERM, and waits until it has ended, at most 10 s.
    func stop() {
        connection = nil
        guard let process else { return }
        process.terminate()
        fleet.end(process, after: 10)
        self.process = nil
    }

    // MARK: Asking it

    func ask(_ request: [UInt8]) throws(BenchmarkError) -> HTTPConnection.Answer {
        if let kept = connection {
            connection = nil
            // A node closes what was idle for long.
            if let answer = try? kept.ask(request) {
                connection = kept
                return answer
            }
        }
        let new = try HTTPConnection(port: httpPort, isWaiting: true)
        let answer = try new.ask(request)
        connection = new
        return answer
    }

    /// `false` also while nobody listens yet. Throws when the process has ended.
    func isReady() throws(BenchmarkError) -> Bool {
        guard process?.isRunning == true else { throw .node("\(name) ended", log: logPath) }
        do throws(BenchmarkError) {
            return try ask(HTTPRequestText.get("/health/ready")).status == 200
        } catch {
            return false
        }
    }

    func info() throws(BenchmarkError) -> Info {
        let answer = try ask(HTTPRequestText.get("/health/info"))
        do {
            return try JSONDecoder().decode(Info.self, from: Data(answer.body))
        } catch {
            throw .unreadableAnswer
        }
    }

    func create(_ externID: String, _ text: String = "Buy groceries and cook dinner") throws(BenchmarkError) {
        let answer = try ask(HTTPRequestText.create(externID, text))
        guard answer.status == 201 else { throw .node("\(name) answered \(answer.status) to a POST", log: logPath) }
    }

    func has(_ externID: String) throws(BenchmarkError) -> Bool {
        try ask(HTTPRequestText.get("/todos/by-extern-id/\(externID)")).status == 200
    }

    // MARK: What it logged

    var logBytes: Int { Self.contents(logPath).utf8.count }

    /// The last figure with that name behind the first `offset` bytes of its log.
    func loggedFigure(_ key: String, from offset: Int) -> Double? {
        let text = String(decoding: Self.contents(logPath).utf8.dropFirst(offset), as: UTF8.self)
        guard let range = text.range(of: key + "=", options: .backwards) else { return nil }
        return Double(text[range.upperBound...].prefix { $0.isNumber })
    }

    private static func contents(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }

    private var configuration: String {
        var text = """
            log_level: \(options.logLevel)
            node:
              name: \(name)
              http: { host: 127.0.0.1, port: \(httpPort) }
              database: { path: "\(databasePath)", synchronous: full }

            """
        if let seeds = options.seeds {
            let list = seeds.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
            text += "  transport: { kind: \(options.transport), bind_addr: \"127.0.0.1:\(port)\" }\n"
            text += "cluster:\n  seeds: [\(list)]\n"
            if !options.key.isEmpty { text += "  encrypt_key: \"\(options.key)\"\n" }
        }
        return text
    }
}
