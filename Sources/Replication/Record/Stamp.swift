package import Transport

/// A reading of the hybrid logical clock (Kulkarni et al. 2014): 48 bits of milliseconds since 1970, then a 16-bit
/// counter that tells apart what happened in one millisecond.
package struct HybridTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package static let zero = HybridTime(rawValue: 0)
    /// The last millisecond that fits into 48 bits, in the year 10889.
    package static let maxMilliseconds: Int64 = 1 << 48 - 1

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Milliseconds outside 0...`maxMilliseconds` are held at the ends.
    package init(milliseconds: Int64, counter: UInt16 = 0) {
        rawValue = UInt64(min(max(milliseconds, 0), Self.maxMilliseconds)) << 16 | UInt64(counter)
    }

    /// The next greater one. Adding one to the whole word carries a full counter into the milliseconds.
    package var successor: HybridTime { HybridTime(rawValue: rawValue == .max ? .max : rawValue + 1) }

    package var milliseconds: Int64 { Int64(rawValue >> 16) }
    package var counter: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    package var description: String { "\(milliseconds).\(counter)" }
}

/// When a register was written and by whom. Stamps are totally ordered: by time, then by origin.
package struct Stamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let time: HybridTime
    package let origin: NodeID

    /// Beaten by every stamp that a node gives.
    package static let least = Stamp(time: .zero, origin: NodeID(0))

    package init(time: HybridTime, origin: NodeID) {
        self.time = time
        self.origin = origin
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.time == right.time ? left.origin < right.origin : left.time < right.time
    }

    package var description: String { "\(time)@\(origin)" }
}

extension Stamp {
    /// 16 bytes: the time, then the origin, big-endian.
    func append(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: time.rawValue)
        bytes.append(bigEndian: origin.rawValue)
    }

    init(from reader: inout ByteReader) throws {
        let time = HybridTime(rawValue: try reader.integer())
        self.init(time: time, origin: NodeID(try reader.integer()))
    }
}
