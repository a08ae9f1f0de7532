import Testing
import Transport

@testable import TransportZMQ

@Suite("Broadcast frames")
struct BroadcastFrameTests {
    private static let stream: UInt64 = 0x0123_4567_89ab_cdef

    /// Two messages, the second with two excluded streams: 18 bytes of header, then 7 and 22.
    private static let messagesFrame: [UInt8] =
        [1, 2, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 8]
        + [0, 0, 0, 2, 0, 0xaa, 0xbb]
        + [0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xcc]

    private static let beatFrame: [UInt8] = [
        2, 2, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0,
    ]

    private static func packer(_ channel: Channel = .replication, maxFrameBytes: Int = 4_096) -> BroadcastPacker {
        BroadcastPacker(channel: channel, version: 2, stream: stream, maxFrameBytes: maxFrameBytes)
    }

    /// The frame that must be waiting.
    private static func flush(_ packer: inout BroadcastPacker, _ sequence: inout UInt64) throws -> [UInt8] {
        let frame = packer.flush(sequence: &sequence)
        return try #require(frame)
    }

    /// The number and the messages of a frame that must be one of messages.
    private static func contents(
        _ frame: [UInt8]
    ) throws -> (channel: Channel, sequence: UInt64, messages: [BroadcastFrame.Message]) {
        let decoded = try BroadcastFrame.decode(frame)
        #expect(decoded.stream == stream)
        guard case .messages(let channel, let sequence, let messages) = decoded.content else {
            throw WireError.malformed
        }
        return (channel, sequence, messages)
    }

    @Test("A frame of messages has exactly the bytes of the format, and is read from them")
    func messages() throws {
        var packer = Self.packer()
        var sequence: UInt64 = 7
        #expect(packer.add([0xaa, 0xbb], sequence: &sequence) == nil)
        #expect(packer.add([0xcc], excluding: [5, .max], sequence: &sequence) == nil)
        #expect(sequence == 7 && !packer.isEmpty)
        #expect(packer.flush(sequence: &sequence) == Self.messagesFrame)
        #expect(sequence == 8 && packer.isEmpty)
        #expect(packer.flush(sequence: &sequence) == nil)
        #expect(sequence == 8)
        let expected = BroadcastFrame(
            stream: Self.stream,
            content: .messages(
                .replication, sequence: 8, [.init(bytes: [0xaa, 0xbb]), .init(bytes: [0xcc], excluded: [5, .max])]))
        #expect(try BroadcastFrame.decode(Self.messagesFrame) == expected)
    }

    @Test("A beat has exactly the bytes of the format, and is read from them")
    func beat() throws {
        let heads = StreamHeads(membership: 3, replication: 256)
        #expect(BroadcastFrame.beat(version: 2, stream: Self.stream, heads: heads) == Self.beatFrame)
        #expect(
            try BroadcastFrame.decode(Self.beatFrame) == BroadcastFrame(stream: Self.stream, content: .beat(heads)))
    }

    @Test("A frame of messages cut anywhere is malformed, but after a message: then it is a shorter one")
    func truncatedMessages() throws {
        for count in Self.messagesFrame.indices {
            let cut = Array(Self.messagesFrame[..<count])
            if count == 18 + 7 {
                #expect(try Self.contents(cut).messages == [.init(bytes: [0xaa, 0xbb])])
            } else {
                #expect(throws: WireError.malformed) { try BroadcastFrame.decode(cut) }
            }
        }
    }

    @Test("A beat cut anywhere, and one with a byte too many, is malformed")
    func truncatedBeat() {
        for count in Self.beatFrame.indices {
            #expect(throws: WireError.malformed) { try BroadcastFrame.decode(Array(Self.beatFrame[..<count])) }
        }
        #expect(throws: WireError.malformed) { try BroadcastFrame.decode(Self.beatFrame + [0]) }
    }

    @Test("Other channels and versions are unsupported")
    func unsupported() {
        for type in UInt8(3)...255 {
            var frame = Self.messagesFrame
            frame[0] = type
            #expect(throws: WireError.unsupported(.type(type))) { try BroadcastFrame.decode(frame) }
        }
        for frame in [Self.messagesFrame, Self.beatFrame] {
            for version in UInt8.min...UInt8.max where version != 2 {
                var other = frame
                other[1] = version
                #expect(throws: WireError.unsupported(.version(version))) { try BroadcastFrame.decode(other) }
            }
        }
    }

    @Test("Stream 0, number 0 and a frame without a message are malformed")
    func zeros() {
        for (start, count) in [(2, 8), (10, 8)] {
            var frame = Self.messagesFrame
            for index in start..<(start + count) { frame[index] = 0 }
            #expect(throws: WireError.malformed) { try BroadcastFrame.decode(frame) }
        }
        var beat = Self.beatFrame
        for index in 2..<10 { beat[index] = 0 }
        #expect(throws: WireError.malformed) { try BroadcastFrame.decode(beat) }
        #expect(throws: WireError.malformed) { try BroadcastFrame.decode(Array(Self.messagesFrame[..<18])) }
    }

    @Test("A length or a count beyond the end is malformed, whatever it says")
    func hostileLengths() {
        let header = Array(Self.messagesFrame[..<18])
        let tails: [[UInt8]] = [
            [0xff, 0xff, 0xff, 0xff, 0], [0xff, 0xff, 0xff, 0xff, 0xff], [0x7f, 0xff, 0xff, 0xff, 0xff, 1],
            [0, 0, 0, 0, 255] + [UInt8](repeating: 1, count: 255 * 8 - 1), [0, 0, 0, 2, 0, 1], [0, 0, 0, 0, 1],
        ]
        for tail in tails {
            #expect(throws: WireError.malformed) { try BroadcastFrame.decode(header + tail) }
        }
    }

    @Test("Messages may be empty, also all of a frame")
    func emptyMessages() throws {
        var packer = Self.packer(.membership)
        var sequence: UInt64 = 0
        for _ in 0..<3 { #expect(packer.add([], sequence: &sequence) == nil) }
        let contents = try Self.contents(try Self.flush(&packer, &sequence))
        #expect(contents.channel == .membership && contents.sequence == 1)
        #expect(contents.messages == [BroadcastFrame.Message](repeating: .init(bytes: []), count: 3))
    }

    @Test("255 streams are excluded; of more the first 255")
    func maxExcluded() throws {
        for count in [255, 256, 1_000] {
            var packer = Self.packer()
            var sequence: UInt64 = 0
            #expect(packer.add([1], excluding: (1...UInt64(count)).map { $0 }, sequence: &sequence) == nil)
            let message = try #require(try Self.contents(try Self.flush(&packer, &sequence)).messages.first)
            #expect(message.excluded == Array(1...255) && message.bytes == [1])
        }
    }

    @Test("A frame is filled to its last byte, and split one byte later")
    func splitting() throws {
        // Room for two messages of 100 bytes, or one byte less.
        let exact = BroadcastFrame.headerBytes + 2 * 105
        let message = [UInt8](repeating: 1, count: 100)
        for (maxFrameBytes, fits) in [(exact, true), (exact - 1, false)] {
            // The largest number of excluded streams has to fit in general, so that frames are larger in practice.
            let padding = BroadcastFrame.maxMessageOverheadBytes
            let filler = [UInt8](repeating: 2, count: padding - 5)
            var packer = Self.packer(maxFrameBytes: maxFrameBytes + padding)
            var sequence: UInt64 = 41
            #expect(packer.add(filler, sequence: &sequence) == nil)
            #expect(packer.add(message, sequence: &sequence) == nil)
            let full = packer.add(message, sequence: &sequence)
            #expect((full == nil) == fits)
            #expect(sequence == (fits ? 41 : 42))
            let last = try Self.flush(&packer, &sequence)
            if let full {
                #expect(full.count == exact + padding - 105)
                #expect(try Self.contents(full).sequence == 42)
                #expect(try Self.contents(full).messages.map(\.bytes) == [filler, message])
                #expect(try Self.contents(last).messages.map(\.bytes) == [message])
                #expect(try Self.contents(last).sequence == 43)
            } else {
                #expect(last.count == maxFrameBytes + padding)
                #expect(try Self.contents(last).sequence == 42)
            }
        }
    }

    @Test("The largest message fits, with any number of excluded streams")
    func largestMessage() throws {
        let maxFrameBytes = 64 * 1024
        let message = [UInt8](repeating: 3, count: BroadcastPacker.maxMessageBytes(in: maxFrameBytes))
        var packer = Self.packer(maxFrameBytes: maxFrameBytes)
        var sequence: UInt64 = 0
        #expect(packer.add([1], sequence: &sequence) == nil)
        let first = packer.add(message, excluding: (1...300).map { $0 }, sequence: &sequence)
        #expect(try Self.contents(try #require(first)).messages == [.init(bytes: [1])])
        let second = try Self.flush(&packer, &sequence)
        #expect(second.count == maxFrameBytes)
        #expect(try Self.contents(second).messages.map(\.bytes) == [message])
    }

    @Test("Whatever is packed comes out in order, in frames of bounded size with numbers in a row")
    func packAndUnpack() throws {
        var generator = SeededGenerator(seed: 3)
        let maxFrameBytes = 3_000
        var packer = Self.packer(maxFrameBytes: maxFrameBytes)
        var sequence: UInt64 = 0
        var (messages, frames): ([BroadcastFrame.Message], [[UInt8]]) = ([], [])
        for number in 0..<2_000 {
            let size = Int.random(
                in: 0...(number.isMultiple(of: 10) ? BroadcastPacker.maxMessageBytes(in: maxFrameBytes) : 60),
                using: &generator)
            let message = BroadcastFrame.Message(
                bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size),
                excluded: (0..<Int.random(in: 0...3, using: &generator)).map { UInt64($0 + number) })
            messages.append(message)
            if let frame = packer.add(message.bytes, excluding: message.excluded, sequence: &sequence) {
                frames.append(frame)
            }
        }
        if let frame = packer.flush(sequence: &sequence) { frames.append(frame) }
        var unpacked: [BroadcastFrame.Message] = []
        for (index, frame) in frames.enumerated() {
            #expect(frame.count <= maxFrameBytes)
            let contents = try Self.contents(frame)
            #expect(contents.sequence == UInt64(index + 1))
            unpacked += contents.messages
        }
        #expect(unpacked == messages)
        #expect(sequence == UInt64(frames.count) && frames.count > 50)
    }
}
