internal import CSQLite

/// Who holds which of SQLite's locks on a file: those of the file (https://sqlite.org/lockingv3.html), and the eight of its
/// shared memory (https://sqlite.org/walformat.html#wal_locks).
struct VirtualLocks {
    private struct Held {
        var level = SQLITE_LOCK_NONE
        var shared: UInt32 = 0
        var exclusive: UInt32 = 0
    }

    private var held: [ObjectIdentifier: Held] = [:]

    /// `false` where somebody else is in the way.
    mutating func raise(_ handle: OpenFile, to level: Int32) -> Bool {
        let id = ObjectIdentifier(handle)
        let others = held.filter { $0.key != id }.map(\.value.level).max() ?? SQLITE_LOCK_NONE
        let own = held[id]?.level ?? SQLITE_LOCK_NONE
        guard level > own else { return true }
        switch level {
        case SQLITE_LOCK_SHARED: guard others < SQLITE_LOCK_PENDING else { return false }
        case SQLITE_LOCK_RESERVED: guard others < SQLITE_LOCK_RESERVED else { return false }
        default:
            guard others < SQLITE_LOCK_RESERVED else { return false }
            // Nobody new comes in while those who are in finish.
            guard others == SQLITE_LOCK_NONE else {
                held[id, default: Held()].level = SQLITE_LOCK_PENDING
                return false
            }
        }
        held[id, default: Held()].level = level
        return true
    }

    mutating func lower(_ handle: OpenFile, to level: Int32) {
        let id = ObjectIdentifier(handle)
        if let own = held[id]?.level, own > level { held[id]?.level = level }
    }

    var isReserved: Bool { held.values.contains { $0.level >= SQLITE_LOCK_RESERVED } }

    /// Locks of the shared memory, one bit each.
    mutating func take(_ mask: UInt32, exclusively isExclusive: Bool, by handle: OpenFile) -> Bool {
        let id = ObjectIdentifier(handle)
        for (other, locks) in held where other != id {
            if locks.exclusive & mask != 0 || isExclusive && locks.shared & mask != 0 { return false }
        }
        if isExclusive {
            held[id, default: Held()].exclusive |= mask
        } else {
            held[id, default: Held()].shared |= mask
        }
        return true
    }

    mutating func giveBack(_ mask: UInt32, by handle: OpenFile) {
        held[ObjectIdentifier(handle)]?.exclusive &= ~mask
        held[ObjectIdentifier(handle)]?.shared &= ~mask
    }

    mutating func drop(_ handle: OpenFile) { held[ObjectIdentifier(handle)] = nil }
}

/// The index of a write-ahead log, in regions of which SQLite keeps the addresses.
final class SharedMemory {
    private var regions: [UnsafeMutableRawPointer] = []
    var userCount = 0

    /// `nil` where it is not there and is not to be made.
    func region(_ index: Int, bytes: Int, isMade: Bool) -> UnsafeMutableRawPointer? {
        while isMade, regions.count <= index {
            let region = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
            region.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
            regions.append(region)
        }
        return index < regions.count ? regions[index] : nil
    }

    deinit { for region in regions { region.deallocate() } }
}
