import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import Store
import Testing

@testable import AutoClusterSync

/// Lists as their memory is concerned.
@Suite("Lists that are made as they are sent", .timeLimit(.minutes(1)))
struct ListRoomTests {
    private let service = MemoryTodoService()
    private let room = ListRoom(unsent: UnsentBytes(maximum: HTTPLimits().maximumUnsentBytes))
    private static let longest = String(repeating: "\u{1D11E}", count: 500)

    private func text(_ limit: Int64? = nil, isWanted: @escaping @Sendable () -> Bool = { true })
        -> TodoListText<MemoryTodoService>
    {
        let value = limit.map { ParameterValue.integer($0) }
        let arguments = Arguments(parameters: [(Operation.Parameter.limit.name, value)])
        return TodoListText(TodoList(arguments), service, room, isWanted: isWanted)
    }

    @Test(
        "Every piece fits into 64 KiB, what is held is counted, and nothing stays counted", arguments: [nil, 1000, 300])
    func pieces(limit: Int64?) async throws {
        service.fill(1000, text: Self.longest)
        var bytes: [UInt8] = []
        do {
            let text = self.text(limit)
            let next = try await text.begin()
            #expect((next == nil) == (limit != 300))
            #expect(room.unsent.current > 500_000)
            while let piece = try await text.next() {
                #expect(piece.readableBytes <= TodoList.pieceBytes)
                #expect(room.unsent.current < 800_000)
                bytes += piece.readableBytesView
            }
        }
        #expect(room.unsent.current == 0)
        let list = try #require(Answer(status: 200, headers: [:], bytes: bytes).json as? [[String: Any]])
        let last = 1000 - Int(limit ?? 1000)
        #expect(list.compactMap { $0["id"] as? Int } == Array((last + 1...1000).reversed()))
    }

    @Test("What is deleted while a heavy page is sent does not show, and moves nothing else in or out")
    func deletedMeanwhile() async throws {
        service.fill(1000, text: Self.longest)
        let text = self.text(600)
        let next = try #require(try await text.begin())
        #expect(next.id == 401)
        for id in [450, 401, 300] as [Int64] { _ = try service.delete(.id(id), if: nil) }
        var bytes: [UInt8] = []
        while let piece = try await text.next() { bytes += piece.readableBytesView }
        let list = try #require(Answer(status: 200, headers: [:], bytes: bytes).json as? [[String: Any]])
        let ids = (402...1000).reversed().filter { $0 != 450 }
        #expect(list.compactMap { $0["id"] as? Int } == ids)
    }

    @Test("256 clients can leave the longest lists unread; beyond the limit there is a 503 until some has gone")
    func manyLists() async throws {
        let api = RESTFixture()
        service.fill(300, text: Self.longest)
        var lists: [TodoListText<MemoryTodoService>] = []
        for _ in 0..<256 {
            lists.append(text(300))
            _ = try await lists.last?.begin()
        }
        #expect(!room.unsent.isFullForNew)
        let rest = HTTPLimits().maximumUnsentBytes / 4 * 3
        api.unsent.add(rest)
        let answer = try await api.get("/todos")
        #expect(answer.isProblem(503) && answer.headers[.retryAfter] != nil)
        #expect(api.service.pageCount == 0)
        api.unsent.remove(1)
        #expect(try await api.get("/todos").status == 200)
    }

    @Test("A list that has begun goes on where no new one may begin, and ends at the limit")
    func fullMeanwhile() async throws {
        service.fill(1000, text: "x")
        let text = self.text()
        _ = try await text.begin()
        room.unsent.add(HTTPLimits().maximumUnsentBytes / 4 * 3)
        for _ in 0..<2 { #expect(try await text.next() != nil) }
        room.unsent.add(HTTPLimits().maximumUnsentBytes / 4)
        await #expect(throws: Problem.unavailable) { while try await text.next() != nil {} }
    }

    @Test("Nothing is read for a client that has gone")
    func goneClient() async throws {
        service.fill(1000, text: "x")
        let isThere = NIOLockedValueBox(false)
        let isWanted: @Sendable () -> Bool = { isThere.withLockedValue { $0 } }
        await #expect(throws: CancellationError.self) { try await self.text(isWanted: isWanted).begin() }
        #expect(service.pageCount == 0)
        isThere.withLockedValue { $0 = true }
        let text = self.text(isWanted: isWanted)
        _ = try await text.begin()
        _ = try await text.next()
        isThere.withLockedValue { $0 = false }
        await #expect(throws: CancellationError.self) { try await text.next() }
        #expect(service.pageCount == 1)
    }

    @Test("So many have their turn at once as may, all have it in the end, and who is one too many is told")
    func turns() async throws {
        let turns = Turns(3, maximumWaiting: 50)
        let counts = NIOLockedValueBox((now: 0, most: 0, done: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await turns.run {
                        counts.withLockedValue { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.done) }
                        await Task.yield()
                        counts.withLockedValue { $0 = ($0.now - 1, $0.most, $0.done + 1) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.withLockedValue { $0 == (0, $0.most, 50) && $0.most <= 3 })
        let single = Turns(1, maximumWaiting: 0)
        try await single.run {
            _ = await #expect(throws: Problem.unavailable) { try await single.run {} }
        }
        try await single.run {}
    }
}
