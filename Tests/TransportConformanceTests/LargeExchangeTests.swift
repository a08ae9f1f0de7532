import Foundation
import TestSupport
import Testing
import Transport
import TransportConformance

/// How much memory a long exchange takes. Each has a process of its own, in which nothing else comes and goes.
@Suite("Large exchanges over every plugin", .serialized)
struct LargeExchangeTests {
    /// `AUTO_CLUSTER_SYNC_EXCHANGE_MEGABYTES` makes it another size.
    static let messageCount: Int = {
        let megabytes = ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_EXCHANGE_MEGABYTES"].flatMap { Int($0) }
        return (megabytes ?? 100) * 1_000_000 / messageBytes
    }()
    static let messageBytes = 64 * 1024
    /// Most that resident memory may rise. Both nodes are in this process, with a window of 256 KiB each and, over
    /// ZeroMQ, 1 MiB of the link on its way, some of it as a clear and a sealed copy; the rest is what allocators keep.
    /// Measured are 1 to 2 MiB.
    static let maxGrowthBytes = 8 << 20

    @Test(
        "100 MB pass to a reader that is slow at first, in order and unchanged, in bounded memory",
        .timeLimit(.minutes(2)), arguments: Conformance.chosen(allPlugins).map(\.name), [false, true])
    func slowReader(plugin: String, hasKey: Bool) async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            [plugin = plugin as String, hasKey = hasKey as Bool] in
            let tested = try #require(allPlugins.first { $0.name == plugin })
            let setting = Setting(plugin: tested, key: hasKey ? Setting.testKey : nil)
            try await withNodes(setting, 2) { nodes in
                let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
                try await LargeExchangeTests.pass(64, from: ours, to: theirs)
                let before = ProcessFigures.now.residentBytes
                let highest = try await LargeExchangeTests.pass(
                    LargeExchangeTests.messageCount, from: ours, to: theirs, isSlowAtFirst: true)
                let growth = highest - before
                print("\(setting.testDescription): \(growth >> 10) KiB more")
                #expect(growth <= LargeExchangeTests.maxGrowthBytes, "\(growth >> 10) KiB more")
            }
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    /// Sends that many messages and compares each that arrives; gives the most memory that was resident meanwhile.
    @discardableResult
    static func pass(
        _ count: Int, from sender: any Exchange, to receiver: any Exchange, isSlowAtFirst: Bool = false
    ) async throws -> Int {
        let messages = NumberedMessages(bytes: messageBytes)
        let sent = Counter()
        let sending = Task {
            for number in 0..<count {
                try await sender.send(messages[number])
                sent.increment()
            }
        }
        if isSlowAtFirst { await eventually("the sender rests") { sent.isAtRest } }
        var highest = ProcessFigures.residentBytes(of: getpid())
        for number in 0..<count {
            if isSlowAtFirst, number < 100 { try await Task.sleep(for: .milliseconds(5)) }
            let isSame = try await receiver.receive() == messages[number]
            #expect(isSame, "message \(number) of \(count)")
            highest = max(highest, ProcessFigures.residentBytes(of: getpid()))
        }
        try await sending.value
        return highest
    }
}

/// Messages of one size of which no two are alike, from a block of random bytes that begins elsewhere in each.
struct NumberedMessages: Sendable {
    private let block: [UInt8]
    private let bytes: Int

    init(bytes: Int) {
        self.bytes = bytes
        var generator = SeededGenerator(seed: 1)
        block = (0..<(2 * bytes)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    subscript(_ number: Int) -> [UInt8] {
        var payload: [UInt8] = []
        payload.append(bigEndian: UInt32(number))
        let start = number % bytes
        payload += block[start..<(start + bytes - payload.count - 5)]
        return TestMessage.make(payload)
    }
}
