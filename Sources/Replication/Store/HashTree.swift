internal import Transport

/// What identifies one version of one row in the hash tree.
package struct RowDigest: Hashable, Sendable {
    /// Keyed hash of the key. Its first two bytes choose the bucket.
    package let keyHash: UInt64
    /// Keyed hash of the whole encoded row: key, stamps, values, tombstone.
    package let rowHash: UInt128

    package init(keyHash: UInt64, rowHash: UInt128) {
        self.keyHash = keyHash
        self.rowHash = rowHash
    }

    package var bucket: UInt16 { UInt16(truncatingIfNeeded: keyHash >> 48) }
    /// What travels in place of `rowHash`: eight bytes suffice to see a difference.
    package var shortRowHash: UInt64 { UInt64(truncatingIfNeeded: rowHash) }
}

/// Hashes rows for the tree. All nodes of a cluster must use one key.
package struct RowHasher: Sendable {
    private let sipHash: SipHash

    /// The two halves of a key that the nodes of the cluster share and nobody else knows: `Keys` derives it.
    package init(key0: UInt64, key1: UInt64) { sipHash = SipHash(key0: key0, key1: key1) }

    /// For a cluster without a key, where anybody can choose keys that fall into one bucket.
    package init() { self.init(key0: 0x6175_746f_2d63_6c75, key1: 0x7374_6572_2d73_796e) }

    package func digest(_ row: EncodedRow) -> RowDigest {
        RowDigest(keyHash: keyHash(row.key), rowHash: row.bytes.withUnsafeBytes { sipHash.hash($0) })
    }

    /// The same of a row whose bytes nobody wants: `scratch` holds them meanwhile, so that many rows cost no allocation.
    package func digest(_ row: Row, scratch: inout [UInt8]) -> RowDigest {
        RowDigest(keyHash: keyHash(row.key), rowHash: rowHash(row, scratch: &scratch))
    }

    /// The part of the digest that differs between the versions of one row.
    package func rowHash(_ row: Row, scratch: inout [UInt8]) -> UInt128 {
        scratch.removeAll(keepingCapacity: true)
        RowCodec.append(row, to: &scratch)
        return sipHash.hash(scratch)
    }

    package func keyHash(_ key: ByteString) -> UInt64 {
        var string = key.string
        return UInt64(truncatingIfNeeded: string.withUTF8 { sipHash.hash(UnsafeRawBufferPointer($0)) })
    }
}

/// 256 x 256 buckets over the rows of a replica, tombstones included: equal roots prove equal data, and unequal ones
/// lead in two steps to the buckets that differ.
///
/// A bucket is the sum, modulo 2^128, of its rows' hashes, so that a change costs one subtraction and one addition
/// whatever the tree holds. A value; about 1.1 MB.
package struct HashTree: Sendable {
    package static let fanOut = 256
    package static let bucketCount = fanOut * fanOut

    private var buckets = [UInt128](repeating: 0, count: HashTree.bucketCount)
    private var tops = [UInt128](repeating: 0, count: HashTree.fanOut)
    package private(set) var root: UInt128 = 0
    /// Rows in the tree, tombstones included.
    package private(set) var count = 0

    package init() {}

    package mutating func insert(_ digest: RowDigest) {
        let bucket = Int(digest.bucket)
        buckets[bucket] &+= digest.rowHash
        tops[bucket >> 8] &+= digest.rowHash
        root &+= digest.rowHash
        count += 1
    }

    /// `digest` must be in the tree.
    package mutating func remove(_ digest: RowDigest) {
        precondition(count > 0, "removing a row from an empty tree")
        let bucket = Int(digest.bucket)
        buckets[bucket] &-= digest.rowHash
        tops[bucket >> 8] &-= digest.rowHash
        root &-= digest.rowHash
        count -= 1
    }

    package var summary: TreeSummary { TreeSummary(root: root, count: UInt64(count)) }

    /// The 256 sums below the root, shortened to eight bytes.
    package var topSums: [UInt64] { tops.map { UInt64(truncatingIfNeeded: $0) } }

    /// The 256 bucket sums below `top`, shortened to eight bytes.
    package func bucketSums(top: UInt8) -> [UInt64] {
        let first = Int(top) << 8
        return buckets[first..<(first + Self.fanOut)].map { UInt64(truncatingIfNeeded: $0) }
    }
}

/// The root of a hash tree and the number of rows under it.
package struct TreeSummary: Hashable, Sendable {
    package let root: UInt128
    package let count: UInt64

    package static let empty = TreeSummary(root: 0, count: 0)

    package init(root: UInt128, count: UInt64) {
        self.root = root
        self.count = count
    }

    /// 32 hexadecimal digits: what `/health/info` shows. Equal fingerprints prove equal data.
    package var fingerprint: String {
        let digits = String(root, radix: 16)
        return String(repeating: "0", count: 32 - digits.utf8.count) + digits
    }
}
