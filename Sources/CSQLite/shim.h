#include <sqlite3.h>

/// SQLITE_TRANSIENT is a cast macro, which Swift does not import: SQLite copies the bytes before the call returns.
static inline int acs_bind_text(sqlite3_stmt *statement, int index, const char *bytes, int length) {
    return sqlite3_bind_text(statement, index, bytes, length, SQLITE_TRANSIENT);
}

/// Variadic in C. Closing this connection will neither copy the WAL into the database nor remove it.
static inline int acs_keep_wal_on_close(sqlite3 *connection) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

/// Variadic in C. The triggers in the file are not run for what this connection writes.
static inline int acs_disable_triggers(sqlite3 *connection) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
}

/// Variadic in C. Off: SQLite counts the bytes of every allocation under one lock, for figures that nobody asks for. Only
/// before the first connection.
static inline int acs_skip_memory_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
