import Keys
import Testing
import Transport
import TransportKit

@Suite("Sessions of byte streams")
struct StreamSessionTests {
    private static let wire = StreamProtocol(
        name: "Test", versions: 2...3, openingBytes: 2, maxMessageBytes: 1_000, isKnownOpening: { $0[0] < 4 })

    private static func key(_ first: UInt8) throws -> Subkey {
        try ClusterKey([UInt8](first..<(first + 32))).subkey(for: ClusterKey.Purpose("testtest"))
    }

    /// What both sides have heard of each other until nothing more goes back and forth.
    private struct Meeting {
        var dialler: StreamSession
        var acceptor: StreamSession
        var here: [StreamSession.Output]
        var there: [StreamSession.Output] = []

        /// `chunkBytes`: how much arrives at a time.
        init(_ dialler: StreamSession, _ acceptor: StreamSession, chunkBytes: Int = .max) {
            (self.dialler, self.acceptor) = (dialler, acceptor)
            here = self.dialler.start()
            _ = self.acceptor.start()
            var (toThere, toHere) = (Self.written(here), [UInt8]())
            while !toThere.isEmpty || !toHere.isEmpty {
                var heard = Self.pass(toThere, chunkBytes) { self.acceptor.receive($0) }
                there += heard
                toHere = Self.written(heard)
                heard = Self.pass(toHere, chunkBytes) { self.dialler.receive($0) }
                here += heard
                (toThere, toHere) = (Self.written(heard), [])
            }
        }

        private static func pass(
            _ bytes: [UInt8], _ chunkBytes: Int, to receive: ([UInt8]) -> [StreamSession.Output]
        ) -> [StreamSession.Output] {
            var (rest, outputs) = (bytes[...], [StreamSession.Output]())
            while !rest.isEmpty {
                outputs += receive(Array(rest.prefix(chunkBytes)))
                rest = rest.dropFirst(chunkBytes)
            }
            return outputs
        }

        static func written(_ outputs: [StreamSession.Output]) -> [UInt8] {
            outputs.flatMap { output -> [UInt8] in
                switch output {
                case .write(let bytes), .failed(_, _, let bytes): bytes
                case .established, .message, .ended: []
                }
            }
        }
    }

    private func writer(_ outputs: [StreamSession.Output]) throws -> (opening: [UInt8], writer: StreamWriter) {
        for case .established(let opening, let writer) in outputs { return (opening, writer) }
        throw NoWriter()
    }

    private struct NoWriter: Error {}

    private func failure(_ outputs: [StreamSession.Output]) -> (ExchangeError, Refusal?)? {
        outputs.compactMap { if case .failed(let error, let refusal, _) = $0 { (error, refusal) } else { nil } }.first
    }

    private func messages(_ outputs: [StreamSession.Output]) -> [[UInt8]] {
        outputs.compactMap { if case .message(let message) = $0 { message } else { nil } }
    }

    private func meeting(
        _ dialled: UInt8?, _ accepted: UInt8?, opening: [UInt8] = [1, 9], versions: ClosedRange<UInt8> = 2...3,
        chunkBytes: Int = .max
    ) throws -> Meeting {
        var other = Self.wire
        other.versions = versions
        return Meeting(
            StreamSession(
                role: .dialler(opening: opening), protocol: Self.wire, key: try dialled.map { try Self.key($0) }),
            StreamSession(role: .acceptor, protocol: other, key: try accepted.map { try Self.key($0) }),
            chunkBytes: chunkBytes)
    }

    @Test(
        "Messages pass both ways in clear and sealed, however they are cut, and the end is told",
        arguments: [nil, 1] as [UInt8?])
    func passing(key: UInt8?) throws {
        for chunkBytes in [1, 3, 7, .max] {
            var meeting = try meeting(key, key, chunkBytes: chunkBytes)
            let (here, there) = (try writer(meeting.here), try writer(meeting.there))
            #expect(there.opening == [1, 9])
            let bytes = here.writer.frame([1, 2]) + here.writer.frame([]) + here.writer.end()
            #expect((key == nil) == bytes.starts(with: [0, 0, 0, 2, 1, 2]))
            var outputs: [StreamSession.Output] = []
            for byte in bytes { outputs += meeting.acceptor.receive([byte]) }
            #expect(messages(outputs) == [[1, 2], []])
            if case .ended = outputs.last {} else { Issue.record("no end") }
            #expect(meeting.acceptor.receiveEnd().isEmpty)
            #expect(messages(meeting.dialler.receive(there.writer.frame([3]))) == [[3]])
            #expect(failure(meeting.dialler.receiveEnd())?.0 == .closed)
        }
    }

    @Test("Other keys and versions are told apart by both sides")
    func refusals() throws {
        let otherKey = try meeting(1, 2)
        #expect(failure(otherKey.here)?.0 == .otherKey && failure(otherKey.there)?.1 == .otherKey)
        let clear = try meeting(nil, 2)
        #expect(failure(clear.here)?.0 == .otherKey && failure(clear.there)?.1 == .clearText)
        let sealed = try meeting(1, nil)
        #expect(failure(sealed.here)?.0 == .otherKey && failure(sealed.there)?.1 == .sealed)
        for key in [nil, 1] as [UInt8?] {
            let version = try meeting(key, key, versions: 4...5)
            #expect(failure(version.here)?.0 == .otherVersion && failure(version.there)?.1 == .otherVersion)
            let opening = try meeting(key, key, opening: [4, 0])
            #expect(failure(opening.there)?.1 == .otherVersion)
            _ = try writer(try meeting(key, key, versions: 1...2).here)
        }
    }

    @Test("A stranger is another transport: by its first bytes, or where it ends before any")
    func strangers() throws {
        for key in [nil, 1] as [UInt8?] {
            func dialler() throws -> StreamSession {
                var session = StreamSession(
                    role: .dialler(opening: [0, 0]), protocol: Self.wire, key: try key.map { try Self.key($0) })
                _ = session.start()
                return session
            }
            var silent = try dialler()
            #expect(failure(silent.receiveEnd())?.0 == .otherTransport)
            var reset = try dialler()
            #expect(failure(reset.receiveEnd(isReset: true))?.0 == .closed)
            var other = try dialler()
            #expect(failure(other.receive(Array("Tesx".utf8)))?.0 == .otherTransport)
            var cut = try dialler()
            #expect(cut.receive(Array("Te".utf8)).isEmpty)
            #expect(failure(cut.receiveEnd())?.0 == .closed)
            var full = try dialler()
            #expect(failure(full.receive(Self.wire.tooManyRefusal))?.0 == .closed)
            var acceptor = StreamSession(
                role: .acceptor, protocol: Self.wire, key: try key.map { try Self.key($0) })
            _ = acceptor.start()
            let outputs = acceptor.receive(Array("GET".utf8))
            #expect(failure(outputs)?.1 == .otherTransport && Meeting.written(outputs).isEmpty)
        }
    }

    @Test("A message over the limit, and one that was changed, end the stream")
    func limits() throws {
        var clear = try meeting(nil, nil)
        let large = try writer(clear.here).writer.frame([UInt8](repeating: 0, count: 1_001))
        #expect(failure(clear.acceptor.receive(large))?.0 == .tooLarge)
        var sealed = try meeting(1, 1)
        var frame = try writer(sealed.here).writer.frame([1, 2, 3])
        frame[10] ^= 1
        #expect(failure(sealed.acceptor.receive(frame))?.0 == .closed)
        #expect(sealed.acceptor.receive([1, 2, 3]).isEmpty)
    }

    @Test("Rubbish at any step ends it without a trap", arguments: 0..<200 as Range<UInt64>)
    func rubbish(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let key = seed % 2 == 0 ? nil : UInt8(1)
        var session = StreamSession(
            role: seed % 4 < 2 ? .acceptor : .dialler(opening: [0, 0]), protocol: Self.wire,
            key: try key.map { try Self.key($0) })
        _ = session.start()
        let genuine = Meeting.written(try meeting(key, key).here)
        let kept = Int.random(in: 0...genuine.count, using: &generator)
        let rest = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
        for byte in genuine.prefix(kept) + rest { _ = session.receive([byte]) }
        _ = session.receiveEnd()
    }
}
