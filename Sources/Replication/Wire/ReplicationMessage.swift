internal import Transport

/// What replication sends outside of walks. Integers are big-endian. All messages begin with the version u8, always 1.
///
///     changes    kind u8 1, origin u64, start u64, sequence u64, rows (see `RowCodec`) to the end
///     heartbeat  kind u8 2, origin u64, start u64, head u64, root u128, count u64, wall clock u64 in ms since 1970,
///                flags u8 (bit 0 ready, bit 1 synced, bit 2 blank, bit 3 a witness), witness u64 with bit 3 only, then
///                heads of others: origin u64, start u64, head u64 each
///     pull       kind u8 3, origin u64, start u64, then per range of numbers: first u64, count u8
///
/// Of a message of another version nothing but the version is read.
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
        /// What the sender's wall clock showed, in milliseconds since 1970.
        package var wallMilliseconds: UInt64 = 0
        /// Open to clients.
        package var isReady: Bool
        /// It has everything that was there when it started, as far as it could reach anybody.
        package var isSynced: Bool
        /// It began without a row and is not open yet: all that it has came from others.
        package var isBlank = false
        /// Of whom it is a witness: all that each of its peers had a few seconds ago is here, by what they say themselves. The
        /// exclusive or of their ids and its own. `nil` where it is none.
        package var witness: UInt64?
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

    package enum Kind: UInt8, Hashable, Sendable { case changes = 1, heartbeat, pull }

    package enum Failure: Error, Hashable, Sendable {
        case malformed
        case unknownKind
        case unknownVersion(UInt8)
        /// Changes with a kind of row that is not known here.
        case unknownRecord
    }

    /// The versions of the replication channel that this node speaks.
    package static let versions: ClosedRange<UInt8> = 1...1

    package static func changesHeader(
        stream: StreamID, sequence: UInt64, version: UInt8 = versions.upperBound
    ) -> [UInt8] {
        var bytes = [version, Kind.changes.rawValue]
        bytes.append(bigEndian: stream.origin.rawValue)
        bytes.append(bigEndian: stream.start)
        bytes.append(bigEndian: sequence)
        return bytes
    }

    package static func encode(_ heartbeat: Heartbeat, version: UInt8 = versions.upperBound) -> [UInt8] {
        var bytes = [version, Kind.heartbeat.rawValue]
        bytes.append(bigEndian: heartbeat.stream.origin.rawValue)
        bytes.append(bigEndian: heartbeat.stream.start)
        bytes.append(bigEndian: heartbeat.head)
        bytes.append(bigEndian: heartbeat.summary.root)
        bytes.append(bigEndian: heartbeat.summary.count)
        bytes.append(bigEndian: heartbeat.wallMilliseconds)
        var flags: UInt8 = heartbeat.isReady ? 1 : 0
        if heartbeat.isSynced { flags |= 2 }
        if heartbeat.isBlank { flags |= 4 }
        if heartbeat.witness != nil { flags |= 8 }
        bytes.append(flags)
        if let witness = heartbeat.witness { bytes.append(bigEndian: witness) }
        for other in heartbeat.others {
            bytes.append(bigEndian: other.stream.origin.rawValue)
            bytes.append(bigEndian: other.stream.start)
            bytes.append(bigEndian: other.head)
        }
        return bytes
    }

    package static func encode(_ pull: Pull, version: UInt8 = versions.upperBound) -> [UInt8] {
        var bytes = [version, Kind.pull.rawValue]
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
        guard let version = try? reader.integer(UInt8.self), versions.contains(version),
            (try? reader.integer(UInt8.self)) == Kind.changes.rawValue, let stream = try? StreamID(from: &reader),
            let sequence = try? reader.integer(UInt64.self)
        else { return nil }
        return (stream, sequence)
    }

    package static func decode(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Self {
        do {
            return try read(ByteReader(bytes))
        } catch let failure as Failure {
            throw failure
        } catch RowCodec.Failure.unknownKind {
            throw .unknownRecord
        } catch {
            throw .malformed
        }
    }

    private static func read(_ initial: ByteReader) throws -> Self {
        var reader = initial
        let version = try reader.integer(UInt8.self)
        guard versions.contains(version) else { throw Failure.unknownVersion(version) }
        switch Kind(rawValue: try reader.integer()) {
        case .changes:
            let stream = try StreamID(from: &reader)
            let sequence = try reader.integer(UInt64.self)
            guard sequence > 0 else { throw Failure.malformed }
            let rows = try RowCodec.decodeAll(from: &reader)
            return .changes(Changes(stream: stream, sequence: sequence, rows: rows))
        case .heartbeat:
            let stream = try StreamID(from: &reader)
            let head = try reader.integer(UInt64.self)
            let root = try reader.integer(UInt128.self)
            let count = try reader.integer(UInt64.self)
            let wallMilliseconds = try reader.integer(UInt64.self)
            let flags = try reader.integer(UInt8.self)
            let witness = flags & 8 != 0 ? try reader.integer(UInt64.self) : nil
            var others: [StreamHead] = []
            while !reader.isAtEnd {
                others.append(StreamHead(stream: try StreamID(from: &reader), head: try reader.integer()))
            }
            return .heartbeat(
                Heartbeat(
                    stream: stream, head: head, summary: TreeSummary(root: root, count: count),
                    wallMilliseconds: wallMilliseconds, isReady: flags & 1 != 0, isSynced: flags & 2 != 0,
                    isBlank: flags & 4 != 0, witness: witness, others: others))
        case .pull: return .pull(try readPull(&reader))
        case nil: throw Failure.unknownKind
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
