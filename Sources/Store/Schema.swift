internal import Replication
internal import Transport

/// The tables and how they come about. See DESIGN.md.
enum Schema {
    /// "acsy": marks a database as ours (PRAGMA application_id).
    static let applicationID: Int32 = 0x6163_7379
    /// The number of the last migration (PRAGMA user_version).
    static let version: Int32 = 2

    /// Brings a blank, the seed's or an older database of ours to `version`. Within the caller's transaction, which reads all rows
    /// before it commits, so that a file that is refused stays as it was. `true` where the rows are the seed's. Throws
    /// `newerVersion` for a later one.
    static func migrate(
        _ connection: borrowing Connection, path: String, newNodeID: () -> NodeID
    ) throws(StoreError) -> Bool {
        let found = Int32(truncatingIfNeeded: try connection.integer("PRAGMA user_version"))
        try checkVersion(found, path: path)
        guard found < version else { return false }
        let kind = found < 1 ? try create(connection, path, newNodeID()) : .blank
        if found < 2 { try connection.execute(checksums) }
        try connection.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
        return kind == .seed
    }

    static func checkVersion(_ found: Int32, path: String) throws(StoreError) {
        guard found <= version else {
            throw .newerVersion(path: path, found: Int(found), supported: Int(version))
        }
    }

    /// The tables of version 1, in a blank database or the seed's.
    private static func create(
        _ connection: borrowing Connection, _ path: String, _ nodeID: NodeID
    ) throws(StoreError) -> SeedDatabase.Kind {
        let kind = try SeedDatabase.classify(connection)
        switch kind {
        case .blank: try connection.execute(todos)
        case .seed: break
        case .foreign(let found): throw .foreign(path: path, found: found)
        }
        try connection.execute(indexes)
        try connection.execute(companions)
        let insert = try Statement("INSERT INTO node (id, node_id, clock_bound) VALUES (1, ?1, 0)", on: connection)
        try insert.bind(nodeID.rawValue, at: 1)
        try insert.run()
        return kind
    }

    /// To the letter what the seed creates.
    private static let todos = """
        CREATE TABLE todos (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          extern_id TEXT NOT NULL,
          todo TEXT NOT NULL,
          completed BOOLEAN NOT NULL DEFAULT 0,
          created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
        );
        """

    private static let indexes = """
        CREATE INDEX IF NOT EXISTS idx_todos_created_at ON todos(created_at);
        CREATE INDEX IF NOT EXISTS idx_todos_completed ON todos(completed);
        CREATE UNIQUE INDEX IF NOT EXISTS idx_todos_extern_id ON todos(extern_id);
        """

    /// Not STRICT: an SQLite before 3.37 could then not open the file at all, not even to read `todos`.
    private static let companions = """
        CREATE TABLE stamps (
          id INTEGER PRIMARY KEY,
          presence_time INTEGER NOT NULL,
          presence_origin INTEGER NOT NULL,
          text_time INTEGER,
          text_origin INTEGER,
          completed_time INTEGER,
          completed_origin INTEGER,
          CHECK ((text_time IS NULL) = (text_origin IS NULL)),
          CHECK ((completed_time IS NULL) = (completed_origin IS NULL))
        );
        CREATE TABLE tombstones (
          id INTEGER PRIMARY KEY,
          extern_id TEXT NOT NULL UNIQUE,
          presence_time INTEGER NOT NULL,
          presence_origin INTEGER NOT NULL,
          todo TEXT,
          text_time INTEGER,
          text_origin INTEGER,
          completed INTEGER,
          completed_time INTEGER,
          completed_origin INTEGER,
          CHECK ((text_time IS NULL) = (todo IS NULL)),
          CHECK ((completed_time IS NULL) = (completed IS NULL))
        );
        CREATE TABLE members (
          name TEXT PRIMARY KEY NOT NULL,
          node_id INTEGER,
          address TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE node (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          node_id INTEGER NOT NULL,
          clock_bound INTEGER NOT NULL,
          stream_start INTEGER NOT NULL DEFAULT 0
        );
        """

    /// Version 2. The start computes the checksums of what version 1 holds, as it is.
    ///
    /// The triggers run in every program but this one, whose writer switches them off: they note what others write. A row that
    /// another program has renamed or replaced loses its stamps, which are not those of the new one. `NULL` as a removed key: not
    /// known. A row and a tombstone of one key could be found in version 1 after another program had renamed one: it wanted that
    /// key.
    private static let checksums = """
        ALTER TABLE stamps ADD COLUMN checksum INTEGER;
        ALTER TABLE stamps ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tombstones ADD COLUMN checksum INTEGER;
        CREATE TABLE removals (
          id INTEGER PRIMARY KEY,
          extern_id TEXT,
          presence_time INTEGER NOT NULL,
          text_time INTEGER,
          completed_time INTEGER
        );
        CREATE TRIGGER todos_inserted AFTER INSERT ON todos BEGIN
          INSERT INTO removals (extern_id, presence_time, text_time, completed_time)
            SELECT NULL, presence_time, text_time, completed_time FROM stamps WHERE id = NEW.id;
          DELETE FROM stamps WHERE id = NEW.id;
        END;
        CREATE TRIGGER todos_updated AFTER UPDATE ON todos BEGIN
          UPDATE stamps SET edits = edits | (OLD.created_at IS NOT NEW.created_at)
            | ((OLD.todo IS NOT NEW.todo) * 2) | ((OLD.completed IS NOT NEW.completed) * 4) WHERE id = OLD.id;
          INSERT INTO removals (extern_id, presence_time, text_time, completed_time)
            SELECT OLD.extern_id, presence_time, text_time, completed_time FROM stamps
            WHERE id = OLD.id AND OLD.extern_id IS NOT NEW.extern_id;
          DELETE FROM stamps WHERE id = OLD.id AND OLD.extern_id IS NOT NEW.extern_id;
          UPDATE OR REPLACE stamps SET id = NEW.id WHERE id = OLD.id AND OLD.id IS NOT NEW.id;
        END;
        CREATE TRIGGER todos_deleted AFTER DELETE ON todos BEGIN
          INSERT INTO removals (extern_id, presence_time, text_time, completed_time)
            SELECT OLD.extern_id, presence_time, text_time, completed_time FROM stamps WHERE id = OLD.id;
          DELETE FROM stamps WHERE id = OLD.id;
        END;
        DELETE FROM stamps WHERE id IN
          (SELECT t.id FROM tombstones x CROSS JOIN todos t ON t.extern_id = x.extern_id);
        """
}
