internal import CSQLite
internal import Transport

/// SQLite's way to the files of all `VirtualDisk`s (https://sqlite.org/vfs.html), registered once for the process.
///
/// A disk is found by its number in the path; after that a connection has its `OpenFile`. No time passes in it and nothing is
/// random, so that the same calls come to the same. SQLite draws the salts of a log from a generator of its own, which differs
/// from run to run; they are compared for being equal only.
enum VirtualFileSystem {
    private static let name: StaticString = "acs-simulated"
    private static let deletedNothing = SQLITE_IOERR | 23 << 8

    /// `nil` where SQLite does not take it.
    static let registeredName: String? = sqlite3_vfs_register(vfs, 0) == SQLITE_OK ? "\(name)" : nil

    /// Never changed after it is made, and never freed.
    private nonisolated(unsafe) static let vfs: UnsafeMutablePointer<sqlite3_vfs> = {
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: sqlite3_vfs())
        vfs.pointee.iVersion = 2
        vfs.pointee.szOsFile = Int32(handleOffset + MemoryLayout<UnsafeRawPointer>.size)
        vfs.pointee.mxPathname = 128
        vfs.pointee.zName = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        vfs.pointee.xOpen = { _, name, file, flags, outFlags in open(name, file, flags, outFlags) }
        vfs.pointee.xDelete = { _, name, isDurable in
            guard let name, let disk = VirtualDisk.find(String(cString: name)), disk.isInUse else {
                return SQLITE_IOERR
            }
            guard disk.remove(String(cString: name), isDurable: isDurable != 0) else { return deletedNothing }
            disk.noteChange()
            return SQLITE_OK
        }
        vfs.pointee.xAccess = { _, name, flags, isThere in
            guard let name, let disk = VirtualDisk.find(String(cString: name)) else { return SQLITE_IOERR }
            let file = disk.file(String(cString: name))
            let isEnough = flags == SQLITE_ACCESS_EXISTS ? file.map { !$0.content.isEmpty } : file.map { _ in true }
            isThere?.pointee = isEnough == true ? 1 : 0
            return SQLITE_OK
        }
        vfs.pointee.xFullPathname = { _, name, room, path in
            guard let name, let path else { return SQLITE_CANTOPEN }
            let bytes = String(cString: name).utf8CString
            guard bytes.count <= room else { return SQLITE_CANTOPEN }
            for (index, byte) in bytes.enumerated() { path[index] = byte }
            return SQLITE_OK
        }
        vfs.pointee.xRandomness = { _, count, room in
            var generator = SeededGenerator(seed: 0)
            for index in 0..<Int(count) { room?[index] = CChar(truncatingIfNeeded: generator.next()) }
            return count
        }
        vfs.pointee.xSleep = { _, microseconds in microseconds }
        vfs.pointee.xCurrentTime = { _, days in
            days?.pointee = Double(NodeClock.epochMilliseconds + julianEpoch) / 86_400_000
            return SQLITE_OK
        }
        vfs.pointee.xCurrentTimeInt64 = { _, milliseconds in
            milliseconds?.pointee = NodeClock.epochMilliseconds + julianEpoch
            return SQLITE_OK
        }
        vfs.pointee.xGetLastError = { _, _, _ in 0 }
        return vfs
    }()

    /// Milliseconds from the beginning of Julian days to 1970. The store asks SQLite for no time: it gets that of the
    /// beginning of the world.
    private static let julianEpoch: Int64 = 210_866_760_000_000

    /// Behind SQLite's own part of a handle is the address of ours.
    private static let handleOffset = MemoryLayout<sqlite3_file>.stride

    private static func open(
        _ name: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        // Temporary files are kept in memory by the store's settings.
        guard let file, let path = name.map({ String(cString: $0) }), let disk = VirtualDisk.find(path), disk.isInUse
        else {
            return SQLITE_CANTOPEN
        }
        file.pointee.pMethods = nil
        let found = disk.file(path)
        guard found != nil || flags & SQLITE_OPEN_CREATE != 0 else { return SQLITE_CANTOPEN }
        let handle = OpenFile(
            found ?? disk.make(path), name: path, on: disk,
            isDeletedOnClose: flags & SQLITE_OPEN_DELETEONCLOSE != 0)
        UnsafeMutableRawPointer(file).storeBytes(
            of: UnsafeRawPointer(Unmanaged.passRetained(handle).toOpaque()), toByteOffset: handleOffset,
            as: UnsafeRawPointer.self)
        file.pointee.pMethods = UnsafePointer(methods)
        outFlags?.pointee = flags
        return SQLITE_OK
    }

    private static func reference(_ file: UnsafeMutablePointer<sqlite3_file>) -> Unmanaged<OpenFile> {
        .fromOpaque(UnsafeRawPointer(file).load(fromByteOffset: handleOffset, as: UnsafeRawPointer.self))
    }

    private static func with(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ body: (OpenFile) -> Int32
    ) -> Int32 {
        guard let file else { return SQLITE_MISUSE }
        return body(reference(file).takeUnretainedValue())
    }

    /// Never changed after it is made, and never freed.
    private nonisolated(unsafe) static let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        methods.initialize(to: sqlite3_io_methods())
        methods.pointee.iVersion = 2
        methods.pointee.xClose = { file in
            guard let file else { return SQLITE_MISUSE }
            reference(file).takeRetainedValue().close()
            return SQLITE_OK
        }
        methods.pointee.xRead = { file, room, count, offset in
            with(file) { $0.read(UnsafeMutableRawBufferPointer(start: room, count: Int(count)), at: Int(offset)) }
        }
        methods.pointee.xWrite = { file, bytes, count, offset in
            with(file) { $0.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: Int(offset)) }
        }
        methods.pointee.xTruncate = { file, size in with(file) { $0.truncate(to: Int(size)) } }
        methods.pointee.xSync = { file, _ in with(file) { $0.sync() } }
        methods.pointee.xFileSize = { file, size in
            with(file) { handle in size.map { handle.size($0) } ?? SQLITE_MISUSE }
        }
        methods.pointee.xLock = { file, level in with(file) { $0.lock(level) } }
        methods.pointee.xUnlock = { file, level in with(file) { $0.unlock(level) } }
        methods.pointee.xCheckReservedLock = { file, isReserved in
            with(file) { handle in isReserved.map { handle.checkReserved($0) } ?? SQLITE_MISUSE }
        }
        methods.pointee.xFileControl = { file, operation, argument in
            guard operation == SQLITE_FCNTL_HAS_MOVED, let argument else { return SQLITE_NOTFOUND }
            return with(file) { handle in
                argument.assumingMemoryBound(to: Int32.self).pointee = handle.hasMoved ? 1 : 0
                return SQLITE_OK
            }
        }
        // As SQLite has it on Linux: what lies beside a write stays, whatever happens to that.
        methods.pointee.xSectorSize = { _ in 4_096 }
        methods.pointee.xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
        methods.pointee.xShmMap = { file, index, bytes, isMade, region in
            // SQLite has it as an address of volatile memory.
            guard let region = UnsafeMutableRawPointer(region)?.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
            else { return SQLITE_MISUSE }
            return with(file) { $0.map(Int(index), bytes: Int(bytes), isMade: isMade != 0, region) }
        }
        methods.pointee.xShmLock = { file, start, count, flags in with(file) { $0.lockMemory(start, count, flags) } }
        methods.pointee.xShmBarrier = { _ in }
        methods.pointee.xShmUnmap = { file, _ in
            with(file) { handle in
                handle.unmap()
                return SQLITE_OK
            }
        }
        return methods
    }()
}
