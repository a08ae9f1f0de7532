package import Transport

/// What replication sends outside of walks. Integers are big-endian.
///
///     changes    u8 1, origin u64, start u64, sequence u64, rows (see `RowCodec`) to the end
///     heartbeat  u8 2, origin u64, start u64, head u64, root u128, count u64, flags u8 (bit 0 ready, bit 1 synced),
///                then heads of others: origin u64, start u64, head u64 each
///     pull       u8 3, origin u64, start u64, then per range of numbers: first u64, count u8
///
/// A pull asks the origin for changes again, which come as they were, to the asker alone.
///
/// `start` grows with every start of the origin; `sequence` numbers its broadcasts from 1 within a start, and `head` is
/// the last number given.
package enum ReplicationMessage: Hashable, Sendable {
    case changes(Changes)
    case heartbeat(Heartbeat)
    case pull(Pull)

    package struct Changes: Hashable, Sendable {
        package var stream: StreamID
        package var sequence: UInt64
        package var rows: [EncodedRow]
    }

    package struct Heartbeat: Hashable, Sendable {
        package var stream: StreamID
        package var head: UInt64
        package var summary: TreeSummary
        /// Open to clients.
        package var isReady: Bool
        /// It has everything that was there when it started, as far as it could reach anybody.
        package var isSynced: Bool
        /// How far the streams of others have come that moved lately.
        package var others: [StreamHead] = []
    }

    /// The last number of a stream that somebody knows of.
    package struct StreamHead: Hashable, Sendable {
        package var stream: StreamID
        package var head: UInt64
    }

    /// Asks for changes that were lost.
    package struct Pull: Hashable, Sendable {
        /// Numbers that one pull may ask for. What lacks more is a walk's business.
        package static let maxNumbers = 64

        package var stream: StreamID
        /// Ascending, not empty, at most `maxNumbers` numbers in all.
        package var ranges: [ClosedRange<UInt64>]

        package init(stream: StreamID, ranges: [ClosedRange<UInt64>]) {
            self.stream = stream
            self.ranges = ranges
        }
    }

    package enum Failure: Error, Hashable, Sendable { case malformed, unknownKind }

    /// The versions of the replication channel that this node speaks.
    package static let versions: ClosedRange<UInt8> = 1...1
    /// Bytes of a changes message before its rows.
    package static let changesHeaderBytes = 25

    package static func changesHeader(stream: StreamID, sequence: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [1]
        bytes.append(bigEndian: stream.origin.rawValue)
        bytes.append(bigEndian: stream.start)
        bytes.append(bigEndian: sequence)
        return bytes
    }

    package static func encode(_ heartbeat: Heartbeat) -> [UInt8] {
        var bytes: [UInt8] = [2]
        bytes.append(bigEndian: heartbeat.stream.origin.rawValue)
        bytes.append(bigEndian: heartbeat.stream.start)
        bytes.append(bigEndian: heartbeat.head)
        bytes.append(bigEndian: heartbeat.summary.root)
        bytes.append(bigEndian: heartbeat.summary.count)
        bytes.append((heartbeat.isReady ? 1 : 0) | (heartbeat.isSynced ? 2 : 0))
        for other in heartbeat.others {
            bytes.append(bigEndian: other.stream.origin.rawValue)
            bytes.append(bigEndian: other.stream.start)
            bytes.append(bigEndian: other.head)
        }
        return bytes
    }

    package static func encode(_ pull: Pull) -> [UInt8] {
        var bytes: [UInt8] = [3]
        bytes.append(bigEndian: pull.stream.origin.rawValue)
        bytes.append(bigEndian: pull.stream.start)
        for range in pull.ranges {
            bytes.append(bigEndian: range.lowerBound)
            bytes.append(UInt8(clamping: range.count))
        }
        return bytes
    }

    /// Which stream a changes message belongs to, and its number there; `nil` for anything else.
    package static func number(of bytes: ArraySlice<UInt8>) -> (stream: StreamID, sequence: UInt64)? {
        var reader = ByteReader(bytes)
        guard (try? reader.integer(UInt8.self)) == 1, let stream = try? StreamID(from: &reader),
            let sequence = try? reader.integer(UInt64.self)
        else { return nil }
        return (stream, sequence)
    }

    package static func decode(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Self {
        do {
            return try read(ByteReader(bytes))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .malformed
        }
    }

    private static func read(_ initial: ByteReader) throws -> Self {
        var reader = initial
        switch try reader.integer(UInt8.self) {
        case 1:
            let stream = try StreamID(from: &reader)
            let sequence = try reader.integer(UInt64.self)
            guard sequence > 0 else { throw Failure.malformed }
            var rows: [EncodedRow] = []
            while !reader.isAtEnd { rows.append(try RowCodec.decode(from: &reader)) }
            return .changes(Changes(stream: stream, sequence: sequence, rows: rows))
        case 2:
            let stream = try StreamID(from: &reader)
            let head = try reader.integer(UInt64.self)
            let root = try reader.integer(UInt128.self)
            let count = try reader.integer(UInt64.self)
            let flags = try reader.integer(UInt8.self)
            var others: [StreamHead] = []
            while !reader.isAtEnd {
                others.append(StreamHead(stream: try StreamID(from: &reader), head: try reader.integer()))
            }
            return .heartbeat(
                Heartbeat(
                    stream: stream, head: head, summary: TreeSummary(root: root, count: count),
                    isReady: flags & 1 != 0, isSynced: flags & 2 != 0, others: others))
        case 3: return .pull(try readPull(&reader))
        default: throw Failure.unknownKind
        }
    }

    private static func readPull(_ reader: inout ByteReader) throws -> Pull {
        let stream = try StreamID(from: &reader)
        var ranges: [ClosedRange<UInt64>] = []
        var count = 0
        repeat {
            let first = try reader.integer(UInt64.self)
            let length = try reader.integer(UInt8.self)
            let (last, overflow) = first.addingReportingOverflow(UInt64(length))
            // `last` is one beyond.
            guard first > (ranges.last?.upperBound ?? 0), length > 0, !overflow else { throw Failure.malformed }
            ranges.append(first...(last - 1))
            count += Int(length)
            guard count <= Pull.maxNumbers else { throw Failure.malformed }
        } while !reader.isAtEnd
        return Pull(stream: stream, ranges: ranges)
    }
}

/// One start of one origin: within it, broadcasts are numbered.
package struct StreamID: Hashable, Sendable {
    package var origin: NodeID
    /// Greater at each start of the origin: a reading of its hybrid clock.
    package var start: UInt64

    package init(origin: NodeID, start: UInt64) {
        self.origin = origin
        self.start = start
    }

    fileprivate init(from reader: inout ByteReader) throws {
        origin = NodeID(try reader.integer())
        start = try reader.integer()
    }
}
