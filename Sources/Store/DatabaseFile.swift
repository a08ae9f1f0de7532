/// The database file as it lies on the disk, looked at without SQLite and without a trace.
struct DatabaseFile {
    enum Content: Equatable {
        /// No file, or an empty one.
        case nothing
        /// Not SQLite's.
        case other
        case database(applicationID: Int32, userVersion: Int32)
    }

    private static let headerBytes = 100

    let path: String
    private let files: any FileSystem

    /// Throws `cannotOpen` unless the file could be opened or created for writing.
    init(_ name: String, in files: any FileSystem) throws(StoreError) {
        path = try files.resolve(name)
        self.files = files
    }

    /// What the header says. The file must not be open in this process: see `FileLock`.
    func content() throws(StoreError) -> Content {
        guard let header = try files.beginning(of: path, count: Self.headerBytes), !header.isEmpty else {
            return .nothing
        }
        // The machine stopped while the file was made. SQLite empties it by its journal.
        if header.allSatisfy({ $0 == 0 }), hasCompanion("-journal") { return .nothing }
        guard header.count == Self.headerBytes, header.starts(with: "SQLite format 3\0".utf8) else { return .other }
        // "The Database Header", sqlite.org/fileformat2.html §1.3: user version at 60, application id at 68.
        func word(_ start: Int) -> Int32 {
            Int32(bitPattern: header[start..<(start + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        return .database(applicationID: word(68), userVersion: word(60))
    }

    /// Whether a log with content lies beside the file: the file alone does not tell what is in the database then.
    func hasCompanion(_ suffix: String) -> Bool { files.size(of: path + suffix) > 0 }

    func lock() throws(StoreError) -> any DatabaseLock { try files.lock(database: path) }
}
