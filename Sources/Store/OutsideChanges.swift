/// Rows that are not as this node wrote them, by what had become of them.
package struct OutsideChanges: Hashable, Sendable {
    /// Inserted by another program: the one before this, or somebody by hand.
    package var takenOver = 0
    /// Edited by another program.
    package var edited = 0
    /// Deleted or renamed by another program.
    package var removed = 0
    /// Changed by nobody: a bit flipped on the disk, or a program wrote past SQLite's triggers.
    package var damaged = 0
    /// Indexes that did not hold what their tables do, and were made anew.
    package var damagedIndexes = 0

    package init(
        takenOver: Int = 0, edited: Int = 0, removed: Int = 0, damaged: Int = 0, damagedIndexes: Int = 0
    ) {
        self.takenOver = takenOver
        self.edited = edited
        self.removed = removed
        self.damaged = damaged
        self.damagedIndexes = damagedIndexes
    }

    /// Of rows and of indexes.
    package var allDamage: Int { damaged + damagedIndexes }

    static func += (left: inout Self, right: Self) {
        left.takenOver += right.takenOver
        left.edited += right.edited
        left.removed += right.removed
        left.damaged += right.damaged
        left.damagedIndexes += right.damagedIndexes
    }
}
