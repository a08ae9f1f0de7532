internal import CSockets
internal import Glibc

/// Clients in a closed loop: each sends its next request when it has the answer to its last one. One thread for all.
struct HTTPLoad {
    struct Result {
        var count: Int
        var seconds: Double
        /// Of each answer, sorted.
        var milliseconds: [Double]
        /// Answers with another status than expected.
        var unexpectedCount: Int

        var perSecond: Double { Double(count) / seconds }
    }

    /// What ends it.
    enum End {
        case after(Duration)
        case requests(Int)
    }

    let port: UInt16
    let connections: Int
    var expectedStatus = 200

    /// `request` makes the request with that number, counted from 0 over all connections. Blocks. Throws when a
    /// connection fails, or when no answer comes for 30 s.
    func run(until end: End, _ request: (Int) -> [UInt8]) throws(BenchmarkError) -> Result {
        let poller = cs_poller()
        guard poller >= 0 else { throw .outOfDescriptors }
        defer { close(poller) }
        var clients: [HTTPConnection] = []
        for index in 0..<connections {
            let client = try HTTPConnection(port: port, isWaiting: false)
            guard cs_poller_add(poller, client.descriptor, UInt64(index), 0) == 0 else { throw .outOfDescriptors }
            clients.append(client)
        }
        let start = Stopwatch()
        let deadline: Double
        let maxRequests: Int
        switch end {
        case .after(let duration): (deadline, maxRequests) = (duration / .seconds(1), .max)
        case .requests(let count): (deadline, maxRequests) = (.infinity, count)
        }
        var sentAt = [Double](repeating: 0, count: connections)
        var (sent, open) = (0, 0)
        var result = Result(count: 0, seconds: 0, milliseconds: [], unexpectedCount: 0)
        for (index, client) in clients.enumerated() where sent < maxRequests {
            sentAt[index] = start.seconds
            try client.send(request(sent))
            sent += 1
            open += 1
        }
        var ready = [cs_ready](repeating: cs_ready(), count: connections)
        while open > 0 {
            let count = cs_poller_wait(poller, &ready, Int32(connections), 30_000_000_000)
            guard count > 0 else { throw .noAnswer }
            for entry in ready[..<Int(count)] {
                let index = Int(entry.tag)
                guard let status = try clients[index].receive() else { continue }
                let now = start.seconds
                result.milliseconds.append((now - sentAt[index]) * 1_000)
                result.count += 1
                if status != expectedStatus { result.unexpectedCount += 1 }
                guard now < deadline, sent < maxRequests else {
                    open -= 1
                    continue
                }
                sentAt[index] = now
                try clients[index].send(request(sent))
                sent += 1
            }
        }
        result.seconds = start.seconds
        result.milliseconds.sort()
        return result
    }
}
