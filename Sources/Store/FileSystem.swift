/// What the store asks of a file system beside what SQLite asks: the system's, or one that a simulator owns.
package protocol FileSystem: Sendable {
    /// SQLite's name for it (https://sqlite.org/vfs.html); `nil` for the system's.
    var vfsName: String? { get }
    /// The one name of the file: absolute and without symbolic links. Throws `cannotOpen` unless the file could be opened,
    /// or created, for writing.
    func resolve(_ name: String) throws(StoreError) -> String
    /// The first bytes of a file, as many as `count` where it has them; `nil` where there is no file.
    func beginning(of path: String, count: Int) throws(StoreError) -> [UInt8]?
    /// In bytes; 0 where there is no file.
    func size(of path: String) -> Int64
    /// Another one for another file of the same name; `nil` where there is no file.
    func identity(of path: String) -> FileIdentity?
    /// Keeps a second node off the database. Throws `inUse` where one has it.
    func lock(database: String) throws(StoreError) -> any DatabaseLock
}

/// What a file is, whatever its name.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64

    package init(device: UInt64, number: UInt64) {
        self.device = device
        self.number = number
    }
}

/// Held as long as a database is open.
package protocol DatabaseLock: AnyObject, Sendable {
    /// Lets go of the lock. May be called more than once.
    func release()
}
