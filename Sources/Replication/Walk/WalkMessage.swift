package import Transport

/// Messages of a walk: the exchange in which two replicas find and repair where they differ. Integers are big-endian. All
/// begin with the version u8, and then the kind u8:
///
///     open      1, lowest version u8, highest version u8, node u64, wall clock u64 in ms since 1970, root u128, count u64,
///               256 x u64 sums if count > 0
///     sums      2, then per differing top: top u8, 256 x u64
///     digests   3, then per bucket: bucket u16, count u32, count x (key hash u64, row hash u64); bit 31 of count says that it
///               is a part of the bucket, and that its first and last key hash, u64 each, come before the entries
///     rows      4, rows to the end
///     wants     5, then per bucket: bucket u16, count u32, count x key hash u64
///     finish    6
///     done      7, flags u8 (bit 0 the donor is synced, bit 1 it could not store all that it was sent)
///     refusal   8, reason u8
///     push      9, flags u8 (bit 0 reached everyone), sender u64, a changes message
///     accepted 10, wall clock u64 in ms since 1970, then heads of streams: origin u64, start u64, head u64 each, 4,097 at most
///
/// The version of `open` is the lowest that its sender speaks. `open` up to its highest version, and `refusal`, are laid out
/// so in every version. The acceptor chooses the highest that both speak; the version of its answers tells which. A push has
/// the version that is spoken among all peers (`VersionChoice`).
///
/// The initiator opens, and the donor accepts. Equal roots: done. An empty initiator gets all rows in key order, then done. Otherwise the donor
/// sends sums for every top that differs, ended by an empty sums message; then, until the initiator finishes: digests
/// from it, rows and one wants message from the donor, and the wanted rows from it, ended by an empty rows message. Where
/// either looks through many rows that are equal, it sends empty rows messages, so that the other sees it work. A
/// push is no walk: changes that are too large to be broadcast, from a peer that waits for done.
package enum WalkMessage: Hashable, Sendable {
    case open(Open)
    /// The opening of a node that speaks none of this node's versions; no more of it is read.
    case foreignOpen(ClosedRange<UInt8>)
    case sums([TopSums])
    case digests([BucketDigests])
    case rows([EncodedRow])
    case wants([BucketWant])
    case finish
    case done(Done)
    /// The walk begins. What the wall clock of the donor shows, and how far the streams have come of which all is in its store.
    case accepted(wallMilliseconds: UInt64, heads: [ReplicationMessage.StreamHead] = [])
    case refusal(Refusal)
    case push(Push)

    package struct Open: Hashable, Sendable {
        package var lowestVersion: UInt8
        package var highestVersion: UInt8
        package var node: NodeID
        /// What the sender's wall clock shows.
        package var wallMilliseconds: UInt64
        package var summary: TreeSummary
        /// Empty for an empty replica.
        package var topSums: [UInt64]

        package init(
            lowestVersion: UInt8 = WalkMessage.versions.lowerBound,
            highestVersion: UInt8 = WalkMessage.versions.upperBound, node: NodeID, wallMilliseconds: UInt64 = 0,
            summary: TreeSummary, topSums: [UInt64]
        ) {
            self.lowestVersion = lowestVersion
            self.highestVersion = highestVersion
            self.node = node
            self.wallMilliseconds = wallMilliseconds
            self.summary = summary
            self.topSums = topSums
        }
    }

    /// The donor's last word.
    package struct Done: Hashable, Sendable {
        package var isSynced: Bool
        /// What it was sent is stored there, all of it.
        package var hasAll: Bool

        package init(isSynced: Bool, hasAll: Bool) {
            self.isSynced = isSynced
            self.hasAll = hasAll
        }
    }

    /// The donor's last word, where it has stored all that it was sent.
    package static func done(isSynced: Bool) -> WalkMessage { .done(Done(isSynced: isSynced, hasAll: true)) }

    package struct TopSums: Hashable, Sendable {
        package var top: UInt8
        package var sums: [UInt64]

        package init(top: UInt8, sums: [UInt64]) {
            self.top = top
            self.sums = sums
        }
    }

    package struct Push: Hashable, Sendable {
        package var reachedEveryone: Bool
        package var sender: NodeID
        package var changes: [UInt8]

        package init(reachedEveryone: Bool, sender: NodeID, changes: [UInt8]) {
            self.reachedEveryone = reachedEveryone
            self.sender = sender
            self.changes = changes
        }
    }

    package enum Refusal: UInt8, Hashable, Sendable {
        /// Too many walks at once: try again soon, or another donor.
        case busy = 1
        case otherVersion = 2
        /// The two nodes have the same id: one database was copied.
        case sameNode = 3
    }

    package enum Failure: Error, Hashable, Sendable {
        case malformed
        case unknownVersion(UInt8)
        /// Rows of a kind that is not known here.
        case unknownRecord
    }

    /// The versions of this protocol that this node speaks: those of the channel.
    package static let versions = ReplicationMessage.versions
    /// Heads in one `accepted`: as many as streams are followed, and the donor's own.
    package static let maxHeads = 4_097
    /// Rows and digests are sent in messages of about this size.
    package static let targetBytes = 64 * 1024

    package func encoded() -> [UInt8] {
        switch self {
        case .open(let open): return Self.encode(open)
        case .foreignOpen(let versions): return Self.openHeader(versions.lowerBound, versions.upperBound)
        case .sums(let tops):
            var bytes = Self.header(2)
            bytes.reserveCapacity(2 + tops.count * (1 + HashTree.fanOut * 8))
            for top in tops {
                bytes.append(top.top)
                for sum in top.sums { bytes.append(bigEndian: sum) }
            }
            return bytes
        case .digests(let buckets):
            var bytes = Self.header(3)
            for bucket in buckets {
                let isWhole = bucket.span == BucketDigests.whole(bucket.bucket)
                bytes.append(bigEndian: bucket.bucket)
                bytes.append(bigEndian: UInt32(bucket.entries.count) | (isWhole ? 0 : Self.partFlag))
                if !isWhole {
                    bytes.append(bigEndian: bucket.span.lowerBound)
                    bytes.append(bigEndian: bucket.span.upperBound)
                }
                for entry in bucket.entries {
                    bytes.append(bigEndian: entry.keyHash)
                    bytes.append(bigEndian: entry.rowHash)
                }
            }
            return bytes
        case .rows(let rows):
            var bytes = Self.header(4)
            for row in rows { bytes += row.bytes }
            return bytes
        case .wants(let wants):
            var bytes = Self.header(5)
            for want in wants {
                bytes.append(bigEndian: want.bucket)
                bytes.append(bigEndian: UInt32(want.keyHashes.count))
                for hash in want.keyHashes { bytes.append(bigEndian: hash) }
            }
            return bytes
        case .finish: return Self.header(6)
        case .done(let done): return Self.header(7) + [(done.isSynced ? 1 : 0) | (done.hasAll ? 0 : 2)]
        case .accepted(let wallMilliseconds, let heads):
            var bytes = Self.header(10)
            bytes.append(bigEndian: wallMilliseconds)
            for head in heads.prefix(Self.maxHeads) {
                bytes.append(bigEndian: head.stream.origin.rawValue)
                bytes.append(bigEndian: head.stream.start)
                bytes.append(bigEndian: head.head)
            }
            return bytes
        case .refusal(let refusal): return Self.header(8) + [refusal.rawValue]
        case .push(let push):
            var bytes = Self.header(9) + [push.reachedEveryone ? 1 : 0]
            bytes.append(bigEndian: push.sender.rawValue)
            return bytes + push.changes
        }
    }

    /// `rows` as messages of about `targetBytes` each; none for no rows.
    package static func rowMessages(_ rows: [EncodedRow]) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var current = header(4)
        for row in rows {
            if current.count > headerBytes && current.count + row.bytes.count > targetBytes {
                messages.append(current)
                current = header(4)
            }
            current += row.bytes
        }
        if current.count > headerBytes { messages.append(current) }
        return messages
    }

    private static let headerBytes = 2
    private static let partFlag: UInt32 = 1 << 31

    /// There is only one version so far.
    private static func header(_ kind: UInt8) -> [UInt8] { [versions.upperBound, kind] }

    private static func openHeader(_ lowest: UInt8, _ highest: UInt8) -> [UInt8] { [lowest, 1, lowest, highest] }

    private static func encode(_ open: Open) -> [UInt8] {
        var bytes = openHeader(open.lowestVersion, open.highestVersion)
        bytes.append(bigEndian: open.node.rawValue)
        bytes.append(bigEndian: open.wallMilliseconds)
        bytes.append(bigEndian: open.summary.root)
        bytes.append(bigEndian: open.summary.count)
        for sum in open.topSums { bytes.append(bigEndian: sum) }
        return bytes
    }
}

extension WalkMessage {
    package static func decode(_ bytes: [UInt8]) throws(Failure) -> Self {
        do {
            return try read(ByteReader(bytes))
        } catch RowCodec.Failure.unknownKind {
            throw .unknownRecord
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .malformed
        }
    }

    private static func read(_ initial: ByteReader) throws -> Self {
        var reader = initial
        let version = try reader.integer(UInt8.self)
        let kind = try reader.integer(UInt8.self)
        // These two are laid out so in every version.
        guard versions.contains(version) || kind == 1 || kind == 8 else { throw Failure.unknownVersion(version) }
        if kind == 1 { return try readOpen(version: version, &reader) }
        if kind == 9 {
            let flags = try reader.integer(UInt8.self)
            let sender = NodeID(try reader.integer())
            return .push(Push(reachedEveryone: flags & 1 != 0, sender: sender, changes: Array(reader.rest)))
        }
        let message: Self
        switch kind {
        case 2:
            var tops: [TopSums] = []
            while !reader.isAtEnd {
                let top = try reader.integer(UInt8.self)
                tops.append(TopSums(top: top, sums: try readSums(&reader)))
            }
            message = .sums(tops)
        case 3:
            var buckets: [BucketDigests] = []
            while !reader.isAtEnd {
                let (bucket, count, span) = try readDigestsHeader(&reader)
                var entries: [BucketDigests.Entry] = []
                entries.reserveCapacity(count)
                for _ in 0..<count {
                    entries.append(.init(keyHash: try reader.integer(), rowHash: try reader.integer()))
                }
                buckets.append(BucketDigests(bucket: bucket, entries: entries, span: span))
            }
            message = .digests(buckets)
        case 4: message = .rows(try RowCodec.decodeAll(from: &reader))
        case 5:
            var wants: [BucketWant] = []
            while !reader.isAtEnd {
                let (bucket, count) = try readBucketHeader(&reader, entryBytes: 8)
                var hashes: [UInt64] = []
                hashes.reserveCapacity(count)
                for _ in 0..<count { hashes.append(try reader.integer()) }
                wants.append(BucketWant(bucket: bucket, keyHashes: hashes))
            }
            message = .wants(wants)
        case 6: message = .finish
        case 7:
            let flags = try reader.integer(UInt8.self)
            message = .done(Done(isSynced: flags & 1 != 0, hasAll: flags & 2 == 0))
        case 10:
            let wallMilliseconds = try reader.integer(UInt64.self)
            var heads: [ReplicationMessage.StreamHead] = []
            while !reader.isAtEnd {
                guard heads.count < maxHeads else { throw Failure.malformed }
                heads.append(.init(stream: try StreamID(from: &reader), head: try reader.integer()))
            }
            message = .accepted(wallMilliseconds: wallMilliseconds, heads: heads)
        case 8:
            guard let refusal = Refusal(rawValue: try reader.integer()) else { throw Failure.malformed }
            message = .refusal(refusal)
        default: throw Failure.malformed
        }
        guard reader.isAtEnd else { throw Failure.malformed }
        return message
    }

    private static func readOpen(version: UInt8, _ reader: inout ByteReader) throws -> Self {
        let lowest = try reader.integer(UInt8.self)
        let highest = try reader.integer(UInt8.self)
        guard lowest <= highest, version == lowest else { throw Failure.malformed }
        // What follows may be laid out otherwise.
        guard versions.overlaps(lowest...highest) else { return .foreignOpen(lowest...highest) }
        let node = NodeID(try reader.integer())
        let wallMilliseconds = try reader.integer(UInt64.self)
        let root = try reader.integer(UInt128.self)
        let count = try reader.integer(UInt64.self)
        let sums = count > 0 ? try readSums(&reader) : []
        guard reader.isAtEnd else { throw Failure.malformed }
        return .open(
            Open(
                lowestVersion: lowest, highestVersion: highest, node: node, wallMilliseconds: wallMilliseconds,
                summary: TreeSummary(root: root, count: count), topSums: sums))
    }

    private static func readSums(_ reader: inout ByteReader) throws -> [UInt64] {
        guard reader.remaining >= HashTree.fanOut * 8 else { throw Failure.malformed }
        var sums: [UInt64] = []
        sums.reserveCapacity(HashTree.fanOut)
        for _ in 0..<HashTree.fanOut { sums.append(try reader.integer()) }
        return sums
    }

    /// The same of digests, and of which part of the bucket they are; `nil` for all of it.
    private static func readDigestsHeader(
        _ reader: inout ByteReader
    ) throws -> (bucket: UInt16, count: Int, span: ClosedRange<UInt64>?) {
        let bucket = try reader.integer(UInt16.self)
        let number = try reader.integer(UInt32.self)
        var span: ClosedRange<UInt64>?
        if number & partFlag != 0 {
            let (first, last) = (try reader.integer(UInt64.self), try reader.integer(UInt64.self))
            let whole = BucketDigests.whole(bucket)
            guard whole.contains(first), whole.contains(last), first <= last, first...last != whole else {
                throw Failure.malformed
            }
            span = first...last
        }
        let count = Int(number & ~partFlag)
        guard count <= reader.remaining / 16 else { throw Failure.malformed }
        return (bucket, count, span)
    }

    /// A bucket and how many entries follow; checked against what is left before anything is reserved.
    private static func readBucketHeader(
        _ reader: inout ByteReader, entryBytes: Int
    ) throws -> (bucket: UInt16, count: Int) {
        let bucket = try reader.integer(UInt16.self)
        let count = Int(try reader.integer(UInt32.self))
        guard count <= reader.remaining / entryBytes else { throw Failure.malformed }
        return (bucket, count)
    }
}
