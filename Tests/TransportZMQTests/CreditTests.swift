import CLibZMQ
import Foundation
import TestSupport
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// How much a node sends to somebody who does not say that it arrived or was read, and how much it takes.
    @Suite("Credit of exchanges on the wire", .timeLimit(.minutes(1)))
    struct CreditTests {
        @Test("A peer that gives no credit gets the window and no more; when it is gone everything is free again")
        func noCredit() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeAcceptor(context)
            let (sender, sent) = Self.sendForEver(from: node, to: fake.address, bytes: 65_536)
            let id = try await fake.welcome()
            let number = try await Self.accept(on: fake, id)
            let got = await Self.gather(fake) { _, _ in [] }
            #expect(got.cost[number] ?? 0 > ExchangeStream.windowBytes - ExchangeStream.maxFragmentBytes)
            #expect(got.cost[number] ?? 0 <= ExchangeStream.windowBytes)
            // What was handed over and has not gone out is bounded as well.
            #expect(sent.value <= 2 * ExchangeStream.windowBytes / 65_536 + 1)
            let start = ContinuousClock.now
            fake.router.close()
            #expect(await sender.value == .closed)
            #expect(ContinuousClock.now - start < .seconds(5))
            await eventually("everything is free", within: .seconds(3)) { node.transport.stats.openExchanges == 0 }
        }

        @Test("A peer that gives credit and confirms nothing gets 1 MiB over all exchanges")
        func nothingArrived() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeAcceptor(context)
            let senders = (0..<8).map { _ in Self.sendForEver(from: node, to: fake.address, bytes: 20_000) }
            let id = try await fake.welcome()
            var got = await Self.gather(fake) { message, cost in
                switch message {
                case .open(let number, _): [(.accepted(exchange: number), id)]
                case .data(let number, _, _): [(.credit(exchange: number, bytes: UInt32(cost)), id)]
                default: []
                }
            }
            #expect(got.total > LinkWindow.windowBytes - ExchangeStream.maxFragmentBytes - ExchangeStream.frameCost)
            #expect(got.total <= LinkWindow.windowBytes)
            #expect(got.cost.count > 1)
            // With a word of what arrived it goes on.
            await fake.say(.arrived(bytes: UInt32(got.total)), to: id)
            got = await Self.gather(fake) { _, _ in [] }
            #expect(got.total > 0)
            fake.router.close()
            for sender in senders { #expect(await sender.0.value == .closed) }
        }

        @Test("A window that is full of what was not confirmed costs no processor time")
        func fullWindowIsIdle() async {
            await #expect(processExitsWith: .success) {
                let (node, context) = (try RunningNode(), try RawContext())
                let fake = try FakeAcceptor(context)
                let sender = Self.sendForEver(from: node, to: fake.address, bytes: 20_000)
                let id = try await fake.welcome()
                _ = await Self.gather(fake) { message, cost in
                    switch message {
                    case .open(let number, _): [(.accepted(exchange: number), id)]
                    case .data(let number, _, _): [(.credit(exchange: number, bytes: UInt32(cost)), id)]
                    default: []
                    }
                }
                let before = ProcessFigures.now
                try await Task.sleep(for: .seconds(1))
                let used = ProcessFigures.now.processorTime - before.processorTime
                #expect(used < .milliseconds(200), "\(used) in 1 s")
                fake.router.close()
                #expect(await sender.0.value == .closed)
            }
        }

        @Test("Who sends beyond its credit gets a reset, and what it sent within stays readable")
        func beyondCredit() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet()
            await fake.say(.open(exchange: 1, .replication))
            #expect(await fake.hears(.accepted(exchange: 1)))
            let exchange = try await node.accept()
            let bytes = [UInt8](repeating: 7, count: 16_384 - ExchangeStream.frameCost)
            for _ in 0..<16 { await fake.say(.data(exchange: 1, endsMessage: true, bytes: bytes)) }
            #expect(!(await fake.hears(.reset(exchange: 1, .closed), within: .milliseconds(300))))
            // The window is full to the byte; one frame more is allowed to be on the edge.
            for _ in 0..<2 { await fake.say(.data(exchange: 1, endsMessage: true, bytes: bytes)) }
            #expect(await fake.hears(.reset(exchange: 1, .closed)))
            for _ in 0..<16 { #expect(try await exchange.receive() == bytes) }
            #expect(await ending(of: exchange) == .closed)
            await eventually("it is forgotten") { node.transport.stats.openExchanges == 0 }
        }

        @Test("A message of 1 MiB in fragments is taken, one of a byte more is reset", arguments: [0, 1])
        func largestMessage(extra: Int) async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet()
            await fake.say(.open(exchange: 1, .replication))
            let exchange = try await node.accept()
            let fragment = [UInt8](repeating: 3, count: 32_768)
            for index in 0..<32 {
                await fake.say(.data(exchange: 1, endsMessage: extra == 0 && index == 31, bytes: fragment))
                // No faster than the credit for it, which comes for each quarter of a window but the last.
                if index % 2 == 1, index < 31 { #expect(await fake.hears(.credit(exchange: 1, bytes: 2 * 33_792))) }
            }
            if extra > 0 {
                await fake.say(.data(exchange: 1, endsMessage: true, bytes: [1]))
                #expect(await fake.hears(.reset(exchange: 1, .closed)))
                #expect(await ending(of: exchange) == .closed)
            } else {
                #expect(try await exchange.receive()?.count == 1 << 20)
            }
        }

        @Test("More credit than was used is a reset", arguments: [1, UInt32.max])
        func tooMuchCredit(bytes: UInt32) async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet()
            await fake.say(.open(exchange: 1, .replication))
            let exchange = try await node.accept()
            for _ in 0..<2 { await fake.say(.credit(exchange: 1, bytes: bytes)) }
            #expect(await fake.hears(.reset(exchange: 1, .closed)))
            #expect(await ending(of: exchange) == .closed)
        }

        @Test("A reader that is gone frees what was sent and was not read, on the side that was dialled")
        func deadDialler() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet()
            var senders: [Task<ExchangeError?, Never>] = []
            for number in 1...5 {
                await fake.say(.open(exchange: UInt32(number), .replication))
                let exchange = try await node.accept()
                senders.append(Task { await Self.fill(exchange, bytes: 60_000, Counted()) })
            }
            #expect(await fake.hears(.accepted(exchange: 5)))
            let start = ContinuousClock.now
            fake.socket.close()
            for sender in senders { #expect(await sender.value == .closed) }
            #expect(ContinuousClock.now - start < .seconds(5))
            await eventually("everything is free", within: .seconds(3)) { node.transport.stats.openExchanges == 0 }
        }

        // MARK: What the fakes do

        private static func sendForEver(
            from node: RunningNode, to address: PeerAddress, bytes: Int
        ) -> (Task<ExchangeError?, Never>, Counted) {
            let sent = Counted()
            let task = Task { () -> ExchangeError? in
                do throws(ExchangeError) {
                    let exchange = try await node.transport.exchange(on: .replication, with: address)
                    return await fill(exchange, bytes: bytes, sent)
                } catch {
                    return error
                }
            }
            return (task, sent)
        }

        private static func fill(_ exchange: any Exchange, bytes: Int, _ sent: Counted) async -> ExchangeError? {
            do throws(ExchangeError) {
                while true {
                    try await exchange.send(numbered(sent.value, bytes: bytes))
                    sent.increment()
                }
            } catch {
                return error
            }
        }

        private static func accept(on fake: FakeAcceptor, _ id: [UInt8]) async throws -> UInt32 {
            guard case .open(let number, _) = await fake.next() else { throw FakeDialler.NoWelcome() }
            await fake.say(.accepted(exchange: number), to: id)
            return number
        }

        private struct Gathered {
            var cost: [UInt32: Int] = [:]
            var total: Int { cost.values.reduce(0, +) }
        }

        /// Takes data until nothing came for 300 ms or it is far too much, and answers each message.
        private static func gather(
            _ fake: FakeAcceptor, _ answer: (LinkMessage, Int) -> [(LinkMessage, [UInt8])]
        ) async -> Gathered {
            var got = Gathered()
            while got.total < 4 << 20, let message = await fake.next(within: .milliseconds(300)) {
                var cost = 0
                if case .data(let number, _, let bytes) = message {
                    cost = bytes.count + ExchangeStream.frameCost
                    got.cost[number, default: 0] += cost
                }
                for (message, id) in answer(message, cost) { await fake.say(message, to: id) }
            }
            return got
        }
    }
}
