package import Store

/// The file system of all `VirtualDisk`s, as the store sees it.
package struct VirtualFiles: FileSystem {
    package init() {}

    package var vfsName: String? { VirtualFileSystem.registeredName }

    package func resolve(_ name: String) throws(StoreError) -> String {
        guard VirtualDisk.find(name) != nil else { throw .cannotOpen(path: name, reason: "there is no such disk") }
        return name
    }

    package func beginning(of path: String, count: Int) throws(StoreError) -> [UInt8]? {
        guard let disk = VirtualDisk.find(path), let file = disk.file(path) else { return nil }
        if disk.chance(disk.faults.failedReads) { throw .ioError(path: path, reason: "a bad sector") }
        return Array(file.content.prefix(count))
    }

    package func size(of path: String) -> Int64 {
        VirtualDisk.find(path)?.file(path).map { Int64($0.content.count) } ?? 0
    }

    package func identity(of path: String) -> FileIdentity? {
        VirtualDisk.find(path)?.file(path).map { FileIdentity(device: 0, number: $0.number) }
    }

    package func lock(database: String) throws(StoreError) -> any DatabaseLock {
        guard let disk = VirtualDisk.find(database), disk.take() else { throw .inUse(path: database) }
        return Lock(path: database, process: disk.process)
    }

    private final class Lock: DatabaseLock {
        let path: String
        let process: Int

        init(path: String, process: Int) {
            self.path = path
            self.process = process
        }

        deinit { release() }

        func release() { VirtualDisk.find(path)?.giveBack(process: process) }
    }
}
