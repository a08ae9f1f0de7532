import Foundation
import TestSupport
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// What is left after many have come and gone, and what a settled cluster costs. Each test has a process of its own.
    @Suite("Leaks and idleness")
    struct LeakTests {
        @Test("Peers that come and go leave no descriptor, no thread, no memory and nothing counted")
        func comingAndGoing() async {
            let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
                let variable = ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_LEAK_ROUNDS"]
                let rounds = variable.flatMap { Int($0) } ?? 150
                let hub = try RunningNode()
                try await Self.joinAndLeave(hub, 0)
                for round in 0..<20 { try await Self.joinLeaveAndClose(hub, round) }
                let before = try await Self.figures(of: hub)
                for round in 0..<rounds { try await Self.joinLeaveAndClose(hub, round) }
                let after = try await Self.figures(of: hub)
                Self.say("\(rounds) rounds: before \(before), after \(after)")
                #expect(after.descriptors <= before.descriptors, "\(after)")
                // The pool of the tests itself may have one more.
                #expect(after.threads <= before.threads + 2, "\(after)")
                // Links of others are looked at after 30 s of silence only: those of the last rounds are still there, at
                // most as many as there may be.
                let links = min(2 * rounds, ZMQTransportConfiguration().maxConnections)
                let growth = after.residentBytes - before.residentBytes
                #expect(growth < 4 << 20 + links * 4_096, "\(growth >> 10) KiB after \(rounds) rounds")
            }
            print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
        }

        @Test("Thousands of dead addresses leave nothing")
        func deadAddresses() async {
            let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
                let hub = try RunningNode()
                func dial(_ rounds: Range<Int>) async {
                    for round in rounds {
                        // Ports of 127.0.0.0/8 where nothing listens.
                        hub.setPeers(
                            (0..<4).map {
                                PeerAddress(host: .v4(0x7f01_0000 + UInt32(round % 5_000 * 4 + $0)), port: 1)
                            })
                        hub.broadcast(round)
                        await hub.flush()
                        if round % 20 == 0 { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                }
                let idle = try await Self.figures(of: hub)
                await dial(0..<500)
                let before = try await Self.figures(of: hub)
                await dial(500..<2_000)
                let after = try await Self.figures(of: hub)
                Self.say("dead addresses: before \(before), after \(after)")
                // Each link would have four.
                #expect(after.descriptors <= idle.descriptors, "\(after), idle \(idle)")
                #expect(after.threads <= before.threads + 2, "\(after)")
                #expect(after.residentBytes - before.residentBytes < 16 << 20)
            }
            print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
        }

        @Test("A settled cluster of three sleeps, also with a peer that is dead and one that is silent")
        func idleness() async {
            let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
                let nodes = [try RunningNode(), try RunningNode(), try RunningNode()]
                await settle(nodes)
                func use(in time: Duration) async throws -> (Duration, wakeUps: Int) {
                    let before = ProcessFigures.now
                    try await Task.sleep(for: time)
                    let after = ProcessFigures.now
                    return (after.processorTime - before.processorTime, after.wakeUps - before.wakeUps)
                }
                let settled = try await use(in: .seconds(2))
                Self.say("idle: \(settled.0) and \(settled.wakeUps) wake-ups in 2 s")
                #expect(settled.0 < .milliseconds(200))
                #expect(settled.wakeUps < 400)
                // Frames in flight and exchanges that stand open are no reason to wake up either.
                var exchanges: [any Exchange] = []
                for _ in 0..<10 {
                    let (ours, theirs) = try await openExchange(from: nodes[0], to: nodes[1])
                    exchanges += [ours, theirs]
                }
                nodes[0].setPeers([nodes[1].address, PeerAddress(host: .v4(0x7f00_0009), port: 1)])
                let context = try RawContext()
                let silent = try FakeAcceptor(context)
                nodes[1].setPeers([nodes[0].address, silent.address])
                let busy = try await use(in: .seconds(2))
                Self.say("idle with failures: \(busy.0) and \(busy.wakeUps) wake-ups in 2 s")
                #expect(busy.0 < .milliseconds(200))
                #expect(busy.wakeUps < 1_000)
                #expect(exchanges.count == 20 && silent.address.port > 0)
            }
            print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
        }

        private static func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

        /// Every link and every subscription has descriptors, and every exchange is counted.
        private static func joinLeaveAndClose(_ hub: RunningNode, _ round: Int) async throws {
            let before = ProcessFigures.now.descriptors
            try await joinAndLeave(hub, round)
            await eventually("nothing is left", within: .seconds(5)) {
                hub.transport.stats.openExchanges == 0 && ProcessFigures.now.descriptors <= before
            }
        }

        private static func joinAndLeave(_ hub: RunningNode, _ round: Int) async throws {
            hub.forget()
            let peers = [try RunningNode(), try RunningNode()]
            hub.setPeers(peers.map(\.address))
            for peer in peers { peer.setPeers([hub.address]) }
            await eventually("all are connected") {
                peers.allSatisfy { hub.count(.connected($0.address)) > 0 && $0.count(.connected(hub.address)) > 0 }
            }
            for (index, peer) in peers.enumerated() { try await pass(round, peer, hub, isHubDialling: index == 0) }
            // Some leave before they are taken out, some after; some leave an exchange open.
            let (ours, theirs) = try await openExchange(from: hub, to: peers[1])
            if round % 2 == 0 { hub.setPeers([]) }
            for peer in peers { try await peer.stop() }
            hub.setPeers([])
            #expect(await ending(of: theirs) == .closed)
            #expect(await ending(of: ours) == .closed)
        }

        private static func pass(_ round: Int, _ peer: RunningNode, _ hub: RunningNode, isHubDialling: Bool)
            async throws
        {
            let heard = peer.numbers().count
            hub.broadcast(round)
            await eventually("it is heard") { peer.numbers().count > heard }
            let (ours, theirs) = try await openExchange(
                from: isHubDialling ? hub : peer, to: isHubDialling ? peer : hub)
            try await theirs.send(numbered(round, bytes: 100_000))
            #expect(try await ours.receive()?.count == 100_000)
            ours.close()
            #expect(await ending(of: theirs) == nil)
        }

        /// What is held once nothing is going on: libzmq closes in its own time.
        private static func figures(of hub: RunningNode) async throws -> ProcessFigures {
            hub.setPeers([])
            hub.broadcast(0)
            await hub.flush()
            var last = ProcessFigures.now
            for _ in 0..<20 {
                try await Task.sleep(for: .milliseconds(50))
                let next = ProcessFigures.now
                if next.descriptors == last.descriptors, next.threads == last.threads { break }
                last = next
            }
            try await Task.sleep(for: .milliseconds(200))
            return .now
        }
    }
}
