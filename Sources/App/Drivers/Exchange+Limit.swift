internal import Transport

extension Exchange {
    /// The next message. Past `limit` the exchange is closed and the answer is `noAnswer`: a process that stands still
    /// accepts connections and never speaks.
    func receive(within limit: Duration) async throws(ExchangeError) -> [UInt8]? {
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: limit)) != nil else { return }
                self.close()
            }
            defer { group.cancelAll() }
            let start = ContinuousClock.now
            do throws(ExchangeError) {
                return Result<[UInt8]?, ExchangeError>.success(try await receive())
            } catch {
                return .failure(ContinuousClock.now - start >= limit ? .noAnswer : error)
            }
        }
        return try result.get()
    }
}
