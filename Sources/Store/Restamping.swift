package import Replication
internal import Transport

/// Moves stamps that lie in the future back into the past, in the files of a whole cluster alike.
///
/// Every stamp later than `cut` becomes an earlier one, a function of the stamp and `cut` alone: the same row gets the same stamps in
/// whichever file it is. The order of all stamps stays, and so do origins, and stamps up to `cut` stay as they are. To have room for every
/// stamp there can be, those after `cut` are pressed into the 14 hours after it: those of the first 99 days keep the 256th part of
/// a millisecond's counter apart, later ones a quarter of a second. Two stamps that become one are told apart by origin and value, as
/// any two that are equal.
package struct Restamping: Sendable {
    /// `cut` must be so long ago, so that no stamp is in the future afterwards.
    package static let leastAgeMilliseconds: Int64 = 14 * 3_600_000

    /// Spans after `cut`, in units of `HybridTime`: each as wide as 2 to the power of `width`, and pressed by 2 to that of `shift`.
    private static let near = (width: UInt64(49), shift: UInt64(8))
    private static let farShift: UInt64 = 24

    private let cut: HybridTime

    package init(after milliseconds: Int64) {
        cut = HybridTime(milliseconds: milliseconds, counter: .max)
    }

    /// Whether a row with this stamp is changed.
    package func moves(_ time: HybridTime) -> Bool { self.time(time) != time }

    /// Later stamps never become earlier ones.
    package func time(_ time: HybridTime) -> HybridTime {
        guard time > cut else { return time }
        let distance = time.rawValue - cut.rawValue
        let nearEnd = UInt64(1) << Self.near.width
        let moved =
            distance <= nearEnd
            ? distance >> Self.near.shift
            : nearEnd >> Self.near.shift + (distance - nearEnd) >> Self.farShift
        return HybridTime(rawValue: cut.rawValue + moved)
    }

    /// A register is stamped no earlier than its row's presence: where that was so by the time alone and the times became one, it shares
    /// the presence's stamp.
    package func row(_ row: Row) -> Row {
        let presence = stamp(row.presence.stamp)
        var moved = row
        moved.presence = Register(row.presence.value, presence)
        moved.text = row.text.map { Register($0.value, max(stamp($0.stamp), presence)) }
        moved.completed = row.completed.map { Register($0.value, max(stamp($0.stamp), presence)) }
        return moved
    }

    private func stamp(_ stamp: Stamp) -> Stamp { Stamp(time: time(stamp.time), origin: stamp.origin) }
}
