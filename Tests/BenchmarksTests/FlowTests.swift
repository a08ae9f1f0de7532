import Testing

@testable import Benchmarks

@Suite("Flows of messages")
struct FlowTests {
    private static let request = FlowRequest(mode: .unicast, endpoints: 2, payloadBytes: 200, seconds: 6)

    private static func result(_ request: FlowRequest, rate: Double, lostShare: Double) -> FlowResult {
        let handed = Int(rate * request.seconds)
        let got = handed - Int(Double(handed) * lostShare)
        return FlowResult(
            seconds: request.seconds, handed: handed, gotByAll: got, least: got, most: got, total: got,
            use: ResourceUse(processorSeconds: 0, loopbackBytes: 0, datagrams: 0))
    }

    @Test("The window that was fastest is measured, for all of the time")
    func fastest() async throws {
        var seconds: [Double] = []
        let found = try await PacedFlow.measure(Self.request) { request in
            seconds.append(request.seconds)
            return Self.result(request, rate: request.window == 512 ? 1_000 : 500, lostShare: 0)
        }
        #expect(seconds == [1, 1, 1, 6])
        #expect(found.rate == 1_000)
    }

    @Test("A window that loses is passed over where another one does not")
    func losing() async throws {
        let found = try await PacedFlow.measure(Self.request) { request in
            let isLarge = request.window == 4_096
            return Self.result(request, rate: isLarge ? 4_000 : 1_000, lostShare: isLarge ? 0.5 : 0)
        }
        #expect(found.rate == 1_000)
        let worst = try await PacedFlow.measure(Self.request) { request in
            Self.result(request, rate: 1_000, lostShare: request.window == 64 ? 0.2 : 0.5)
        }
        #expect((0.19...0.21).contains(worst.lostShare))
    }

    @Test("Windows are bounded by bytes and distinct")
    func largePayloads() async throws {
        var request = Self.request
        request.payloadBytes = 65_536
        var windows: Set<Int> = []
        _ = try await PacedFlow.measure(request) { request in
            windows.insert(request.window ?? 0)
            return Self.result(request, rate: 10, lostShare: 0)
        }
        #expect(windows == [32])
    }

    @Test("Messages are known by run and number")
    func messages() {
        let message = Message.make(run: 7, number: 70_000, bytes: 200)
        #expect(message.count == 200)
        #expect(Message.number(message, run: 7) == 70_000)
        #expect(Message.number(message, run: 8) == nil)
        #expect(Message.number([1, 2, 3], run: 7) == nil)
        #expect(Message.number(Message.probe, run: 1) == nil)
    }

    @Test("A number counts once, and what all have is what each has")
    func numberSets() {
        var (left, right) = (NumberSet(), NumberSet())
        for number in [0, 63, 64, 64, 5_000] { left.insert(number) }
        for number in [63, 64, 200] { right.insert(number) }
        #expect(left.count == 4)
        #expect(NumberSet.commonCount([left, right]) == 2)
        #expect(NumberSet.commonCount([left]) == 4)
        #expect(NumberSet.commonCount([]) == 0)
    }
}
