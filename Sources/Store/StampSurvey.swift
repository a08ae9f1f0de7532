internal import Glibc
package import Replication
package import Transport

/// What the stamps in a database file are, looked at without a node and without changing the file.
package struct StampSurvey: Sendable {
    /// What a stamp is of.
    package enum Kind: String, Sendable, CaseIterable {
        case presence, text, completed, delete
    }

    /// The stamps of one kind that one node gave.
    package struct Group: Sendable {
        package let kind: Kind
        package let origin: NodeID
        package fileprivate(set) var count = 0
        package fileprivate(set) var latest = HybridTime.zero
    }

    /// Absolute.
    package let path: String
    package let schemaVersion: Int
    package let nodeID: NodeID
    package let clockBound: HybridTime
    package let streamStart: Int64
    /// By kind, then by origin.
    package let groups: [Group]
    package let rowCount: Int
    /// Rows with a stamp that is later than the limit that was asked for.
    package let laterCount: Int

    /// Counts rows with stamps later than `limit`. A log that lies beside the file is read with it, and its shared memory (`-shm`) may
    /// stay behind. Throws `foreign` for a file that no node has opened yet.
    package static func read(_ name: String, laterThan limit: HybridTime) throws(StoreError) -> StampSurvey {
        let file = try existing(name)
        let connection = try Connection(
            path: file.path, mode: .inspection(isImmutable: !file.hasCompanion("-wal")))
        return try connection.transaction("BEGIN") { () throws(StoreError) in
            try StampSurvey(connection, file.path, limit)
        }
    }

    /// The file of a node. Throws for any other.
    static func existing(_ name: String) throws(StoreError) -> DatabaseFile {
        let file = try DatabaseFile(name, in: SystemFiles())
        switch try file.content() {
        case .nothing: throw .cannotOpen(path: file.path, reason: systemMessage(ENOENT))
        case .other: throw .notADatabase(path: file.path)
        case .database(Schema.applicationID, let version): try Schema.checkVersion(version, path: file.path)
        case .database: throw .foreign(path: file.path, found: "no node has opened it yet")
        }
        return file
    }

    private init(_ connection: borrowing Connection, _ path: String, _ limit: HybridTime) throws(StoreError) {
        self.path = path
        schemaVersion = Int(try connection.integer("PRAGMA user_version"))
        nodeID = NodeID(UInt64(bitPattern: try connection.integer("SELECT node_id FROM node")))
        clockBound = HybridTime(rawValue: UInt64(bitPattern: try connection.integer("SELECT clock_bound FROM node")))
        streamStart = try connection.integer("SELECT stream_start FROM node")
        let columns = "presence_time, presence_origin, text_time, text_origin, completed_time, completed_origin"
        let rows = try Statement(
            "SELECT 1, \(columns) FROM stamps UNION ALL SELECT 0, \(columns) FROM tombstones", on: connection)
        var groups: [Kind: [NodeID: Group]] = [:]
        var (rowCount, laterCount) = (0, 0)
        while try rows.step() {
            let isThere = rows.integer(0) == 1
            rowCount += 1
            var isLater = false
            func note(_ kind: Kind, _ column: Int32) {
                let time = HybridTime(rawValue: rows.unsigned(column))
                let origin = NodeID(rows.unsigned(column + 1))
                isLater = isLater || time > limit
                groups[kind, default: [:]][origin, default: Group(kind: kind, origin: origin)].note(time)
            }
            note(isThere ? .presence : .delete, 1)
            // A todo's register without a stamp has that of the presence; a tombstone's is not there.
            if isThere || !rows.isNull(3) { note(.text, rows.isNull(3) ? 1 : 3) }
            if isThere || !rows.isNull(5) { note(.completed, rows.isNull(5) ? 1 : 5) }
            if isLater { laterCount += 1 }
        }
        (self.rowCount, self.laterCount) = (rowCount, laterCount)
        self.groups = Kind.allCases.flatMap { kind in
            (groups[kind] ?? [:]).values.sorted { $0.origin < $1.origin }
        }
    }
}

extension StampSurvey.Group {
    fileprivate mutating func note(_ time: HybridTime) {
        count += 1
        latest = max(latest, time)
    }
}
