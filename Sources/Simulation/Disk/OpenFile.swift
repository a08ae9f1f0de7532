internal import CSQLite

/// A file as one connection has it open: SQLite's calls, answered with SQLite's codes
/// (https://sqlite.org/c3ref/io_methods.html). After the process of the connection has died nothing is done any more.
final class OpenFile {
    // Macros that Swift does not import.
    private static let readError = SQLITE_IOERR | 1 << 8
    private static let shortRead = SQLITE_IOERR | 2 << 8
    private static let writeError = SQLITE_IOERR | 3 << 8
    private static let syncError = SQLITE_IOERR | 4 << 8
    private static let truncateError = SQLITE_IOERR | 6 << 8
    private static let statError = SQLITE_IOERR | 7 << 8
    private static let lockError = SQLITE_IOERR | 15 << 8
    private static let memoryError = SQLITE_IOERR | 19 << 8

    private let disk: VirtualDisk
    private let file: VirtualFile
    /// `nil` for a temporary file.
    private let name: String?
    private let process: Int
    private let isDeletedOnClose: Bool
    private var memory: SharedMemory?

    init(_ file: VirtualFile, name: String?, on disk: VirtualDisk, isDeletedOnClose: Bool) {
        self.file = file
        self.name = name
        self.disk = disk
        self.isDeletedOnClose = isDeletedOnClose
        process = disk.process
    }

    private var isDead: Bool { process != disk.process }

    func close() {
        unmap()
        file.locks.drop(self)
        if isDeletedOnClose, !isDead, let name { _ = disk.remove(name, isDurable: false) }
    }

    // MARK: Content

    func read(_ room: UnsafeMutableRawBufferPointer, at offset: Int) -> Int32 {
        guard !isDead, !disk.chance(disk.faults.failedReads) else { return Self.readError }
        let count = max(0, min(room.count, file.content.count - offset))
        if count > 0 {
            file.content.withUnsafeBytes { bytes in
                room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
            }
        }
        guard count < room.count else { return SQLITE_OK }
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        return Self.shortRead
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
        guard !isDead, !disk.chance(disk.faults.failedWrites) else { return Self.writeError }
        if disk.faults.isFull, offset + bytes.count > file.content.count { return SQLITE_FULL }
        file.write(bytes, at: offset)
        return noteChange(Self.writeError)
    }

    func truncate(to size: Int) -> Int32 {
        guard !isDead else { return Self.truncateError }
        file.truncate(to: size)
        return noteChange(Self.truncateError)
    }

    func sync() -> Int32 {
        guard !isDead, disk.sync(file) else { return Self.syncError }
        return noteChange(Self.syncError)
    }

    func size(_ size: UnsafeMutablePointer<Int64>) -> Int32 {
        guard !isDead else { return Self.statError }
        size.pointee = Int64(file.content.count)
        return SQLITE_OK
    }

    /// Whether the name stands for another file by now, or for none.
    var hasMoved: Bool { name.map { disk.file($0) !== file } ?? false }

    private func noteChange(_ error: Int32) -> Int32 {
        disk.noteChange()
        return isDead ? error : SQLITE_OK
    }

    // MARK: Locks

    func lock(_ level: Int32) -> Int32 {
        guard !isDead else { return Self.lockError }
        return file.locks.raise(self, to: level) ? SQLITE_OK : SQLITE_BUSY
    }

    func unlock(_ level: Int32) -> Int32 {
        if !isDead { file.locks.lower(self, to: level) }
        return SQLITE_OK
    }

    func checkReserved(_ isReserved: UnsafeMutablePointer<Int32>) -> Int32 {
        guard !isDead else { return Self.lockError }
        isReserved.pointee = file.locks.isReserved ? 1 : 0
        return SQLITE_OK
    }

    // MARK: Shared memory

    func map(
        _ index: Int, bytes: Int, isMade: Bool, _ region: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> Int32 {
        guard !isDead else { return Self.memoryError }
        let memory = self.memory ?? file.memory ?? SharedMemory()
        if self.memory == nil { memory.userCount += 1 }
        (self.memory, file.memory) = (memory, memory)
        region.pointee = memory.region(index, bytes: bytes, isMade: isMade)
        return SQLITE_OK
    }

    func lockMemory(_ start: Int32, _ count: Int32, _ flags: Int32) -> Int32 {
        guard !isDead else { return Self.lockError }
        let mask = (UInt32(1) << UInt32(start + count)) - (UInt32(1) << UInt32(start))
        guard flags & SQLITE_SHM_LOCK != 0 else {
            file.locks.giveBack(mask, by: self)
            return SQLITE_OK
        }
        let isTaken = file.locks.take(mask, exclusively: flags & SQLITE_SHM_EXCLUSIVE != 0, by: self)
        return isTaken ? SQLITE_OK : SQLITE_BUSY
    }

    func unmap() {
        guard let memory else { return }
        memory.userCount -= 1
        if memory.userCount == 0, file.memory === memory { file.memory = nil }
        self.memory = nil
    }
}
