#include "CRawLimits.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct rl_database {
    sqlite3 *connection;
    sqlite3_stmt *begin, *commit;
    sqlite3_stmt *todo_by_key, *tombstone_by_key;
    sqlite3_stmt *insert_todo, *insert_stamps;
    sqlite3_stmt *set_text, *set_completed, *set_created_at, *replace_stamps;
    sqlite3_stmt *read_by_id, *read_by_key, *read_newest, *read_before;
};

#define SELECT_TODO "SELECT id, extern_id, todo, completed, created_at FROM todos "
#define STAMPS "presence_time, presence_origin, text_time, text_origin, completed_time, completed_origin "

static int prepare(rl_database *database, const char *sql, sqlite3_stmt **statement) {
    return sqlite3_prepare_v3(database->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

static int prepare_all(rl_database *database) {
    struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&database->begin, "BEGIN IMMEDIATE"},
        {&database->commit, "COMMIT"},
        {&database->todo_by_key, "SELECT t.id, t.todo, t.completed, t.created_at, " STAMPS
                                 "FROM todos t LEFT JOIN stamps s ON s.id = t.id WHERE t.extern_id = ?1"},
        {&database->tombstone_by_key, "SELECT id, todo, completed, NULL, " STAMPS
                                      "FROM tombstones WHERE extern_id = ?1"},
        {&database->insert_todo, "INSERT INTO todos (extern_id, todo, completed, created_at) VALUES (?1, ?2, ?3, ?4)"},
        {&database->insert_stamps, "INSERT INTO stamps (id, presence_time, presence_origin, checksum) VALUES (?1, ?2, ?3, ?4)"},
        {&database->set_text, "UPDATE todos SET todo = ?2 WHERE id = ?1"},
        {&database->set_completed, "UPDATE todos SET completed = ?2 WHERE id = ?1"},
        {&database->set_created_at, "UPDATE todos SET created_at = ?2 WHERE id = ?1"},
        {&database->replace_stamps, "REPLACE INTO stamps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)"},
        {&database->read_by_id, SELECT_TODO "WHERE id = ?1"},
        {&database->read_by_key, SELECT_TODO "WHERE extern_id = ?1"},
        {&database->read_newest, SELECT_TODO "ORDER BY created_at DESC, id DESC LIMIT ?1"},
        {&database->read_before, SELECT_TODO "WHERE created_at < ?2 ORDER BY created_at DESC, id DESC LIMIT ?1"},
    };
    for (size_t index = 0; index < sizeof all / sizeof all[0]; index++) {
        int code = prepare(database, all[index].sql, all[index].statement);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

int rl_database_open(const char *path, int is_read_only, const char *pragmas, rl_database **opened) {
    rl_database *database = calloc(1, sizeof *database);
    if (database == NULL) return -SQLITE_NOMEM;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int code = sqlite3_open_v2(path, &database->connection, flags, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(database->connection, 5000);
    if (code == SQLITE_OK) code = sqlite3_exec(database->connection, pragmas, NULL, NULL, NULL);
    // As the store does; the triggers are for other programs.
    if (code == SQLITE_OK)
        code = sqlite3_db_config(database->connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (code == SQLITE_OK) code = prepare_all(database);
    if (code != SQLITE_OK) {
        rl_database_close(database);
        return -code;
    }
    *opened = database;
    return 0;
}

void rl_database_close(rl_database *database) {
    if (database == NULL) return;
    sqlite3_stmt *statement;
    while (database->connection != NULL && (statement = sqlite3_next_stmt(database->connection, NULL)) != NULL)
        sqlite3_finalize(statement);
    sqlite3_close_v2(database->connection);
    free(database);
}

/// Runs a statement without rows. 0 or SQLite's code.
static int run(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : reset != SQLITE_OK ? reset : code;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *bytes, uint32_t count) {
    sqlite3_bind_text(statement, index, bytes, (int)count, SQLITE_STATIC);
}

static void bind_stamp(sqlite3_stmt *statement, int index, rl_stamp stamp) {
    sqlite3_bind_int64(statement, index, (sqlite3_int64)stamp.time);
    sqlite3_bind_int64(statement, index + 1, (sqlite3_int64)stamp.origin);
}

/// NULL where it is that of the presence.
static void bind_unless_shared(sqlite3_stmt *statement, int index, rl_stamp stamp, rl_stamp presence) {
    if (stamp.time != presence.time || stamp.origin != presence.origin) {
        bind_stamp(statement, index, stamp);
    } else {
        sqlite3_bind_null(statement, index);
        sqlite3_bind_null(statement, index + 1);
    }
}

/// Eight bytes in the place of a checksum, which nobody reads.
static void bind_checksum(sqlite3_stmt *statement, int index, const rl_row *row) {
    sqlite3_bind_int64(statement, index, (sqlite3_int64)(row->presence_stamp.time * 0x9e3779b97f4a7c15u));
}

static int insert(rl_database *database, const rl_row *row) {
    sqlite3_stmt *todo = database->insert_todo, *stamps = database->insert_stamps;
    bind_text(todo, 1, row->key, row->key_bytes);
    bind_text(todo, 2, row->text, row->text_bytes);
    sqlite3_bind_int64(todo, 3, row->completed);
    bind_text(todo, 4, row->created_at, row->created_at_bytes);
    int code = run(todo);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_int64(stamps, 1, sqlite3_last_insert_rowid(database->connection));
    bind_stamp(stamps, 2, row->presence_stamp);
    bind_checksum(stamps, 4, row);
    return run(stamps);
}

static int is_later(rl_stamp left, rl_stamp right) {
    return left.time != right.time ? left.time > right.time : left.origin > right.origin;
}

static rl_stamp column_stamp(sqlite3_stmt *statement, int column, rl_stamp otherwise) {
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) return otherwise;
    return (rl_stamp){.time = (uint64_t)sqlite3_column_int64(statement, column),
                      .origin = (uint64_t)sqlite3_column_int64(statement, column + 1)};
}

static int update(sqlite3_stmt *statement, sqlite3_int64 id) {
    sqlite3_bind_int64(statement, 1, id);
    return run(statement);
}

/// `todo_by_key` stands on the row with the same key, and is reset. 1 when something changed, 0 when nothing did.
static int merge_with_stored(rl_database *database, const rl_row *row) {
    static const rl_stamp none = {0, 0};
    sqlite3_stmt *stored = database->todo_by_key;
    sqlite3_int64 id = sqlite3_column_int64(stored, 0);
    rl_stamp presence = column_stamp(stored, 4, none);
    rl_stamp text = column_stamp(stored, 6, presence);
    rl_stamp completed = column_stamp(stored, 8, presence);
    sqlite3_reset(stored);
    int has_later_presence = is_later(row->presence_stamp, presence);
    int has_later_text = is_later(row->text_stamp, text);
    int has_later_completed = is_later(row->completed_stamp, completed);
    if (!has_later_presence && !has_later_text && !has_later_completed) return 0;
    int code = SQLITE_OK;
    if (has_later_presence) {
        presence = row->presence_stamp;
        bind_text(database->set_created_at, 2, row->created_at, row->created_at_bytes);
        code = update(database->set_created_at, id);
    }
    if (code == SQLITE_OK && has_later_text) {
        text = row->text_stamp;
        bind_text(database->set_text, 2, row->text, row->text_bytes);
        code = update(database->set_text, id);
    }
    if (code == SQLITE_OK && has_later_completed) {
        completed = row->completed_stamp;
        sqlite3_bind_int64(database->set_completed, 2, row->completed);
        code = update(database->set_completed, id);
    }
    if (code != SQLITE_OK) return -code;
    bind_stamp(database->replace_stamps, 2, presence);
    bind_unless_shared(database->replace_stamps, 4, text, presence);
    bind_unless_shared(database->replace_stamps, 6, completed, presence);
    bind_checksum(database->replace_stamps, 8, row);
    code = update(database->replace_stamps, id);
    return code == SQLITE_OK ? 1 : -code;
}

static int merge(rl_database *database, const rl_row *row) {
    bind_text(database->todo_by_key, 1, row->key, row->key_bytes);
    int code = sqlite3_step(database->todo_by_key);
    if (code == SQLITE_ROW) return merge_with_stored(database, row);
    sqlite3_reset(database->todo_by_key);
    if (code != SQLITE_DONE) return -code;
    bind_text(database->tombstone_by_key, 1, row->key, row->key_bytes);
    code = sqlite3_step(database->tombstone_by_key);
    sqlite3_reset(database->tombstone_by_key);
    // No row of a benchmark was ever deleted.
    if (code != SQLITE_DONE) return code == SQLITE_ROW ? -SQLITE_MISUSE : -code;
    code = insert(database, row);
    return code == SQLITE_OK ? 1 : -code;
}

static int insert_as_merge(rl_database *database, const rl_row *row) {
    int code = insert(database, row);
    return code == SQLITE_OK ? 1 : -code;
}

static int64_t transaction(rl_database *database, const rl_row *rows, size_t count,
                           int (*write)(rl_database *, const rl_row *)) {
    int code = run(database->begin);
    if (code != SQLITE_OK) return -code;
    int64_t changed = 0;
    for (size_t index = 0; index < count; index++) {
        int outcome = write(database, rows + index);
        if (outcome < 0) {
            sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
            return outcome;
        }
        changed += outcome;
    }
    code = run(database->commit);
    if (code == SQLITE_OK) return changed;
    sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
    return -code;
}

int64_t rl_merge(rl_database *database, const rl_row *rows, size_t count) {
    return transaction(database, rows, count, merge);
}

int64_t rl_insert(rl_database *database, const rl_row *rows, size_t count) {
    return transaction(database, rows, count, insert_as_merge);
}

/// Takes over what a statement stands on as a program would that needs it: numbers, and copies of texts.
static void take_columns(sqlite3_stmt *statement, int count) {
    char text[1024];
    volatile int64_t sum = 0;
    for (int column = 0; column < count; column++) {
        switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER: sum += sqlite3_column_int64(statement, column); break;
        case SQLITE_TEXT: {
            const unsigned char *bytes = sqlite3_column_text(statement, column);
            size_t size = (size_t)sqlite3_column_bytes(statement, column);
            if (size > sizeof text) size = sizeof text;
            memcpy(text, bytes, size);
            if (size > 0) sum += text[size - 1];
            break;
        }
        default: break;
        }
    }
}

/// Steps to the end, and resets. The number of rows, or minus SQLite's code.
static int64_t take_rows(sqlite3_stmt *statement) {
    int columns = sqlite3_column_count(statement), code;
    int64_t rows = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        take_columns(statement, columns);
        rows++;
    }
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? rows : -code;
}

/// Reads that share a transaction, where there are several: as the store has it.
enum { READS_TOGETHER = 32 };

static void begin_reads(rl_database *database, size_t index) {
    if (index % READS_TOGETHER != 0) return;
    if (index > 0) sqlite3_exec(database->connection, "COMMIT", NULL, NULL, NULL);
    sqlite3_exec(database->connection, "BEGIN", NULL, NULL, NULL);
}

static void end_reads(rl_database *database) { sqlite3_exec(database->connection, "COMMIT", NULL, NULL, NULL); }

int64_t rl_read_by_id(rl_database *database, const int64_t *ids, size_t count, int together) {
    int64_t found = 0;
    for (size_t index = 0; index < count; index++) {
        if (together) begin_reads(database, index);
        sqlite3_bind_int64(database->read_by_id, 1, ids[index]);
        int64_t rows = take_rows(database->read_by_id);
        if (rows < 0) return rows;
        found += rows;
    }
    if (together) end_reads(database);
    return found;
}

int64_t rl_read_by_key(rl_database *database, const rl_row *rows, size_t count, int together) {
    int64_t found = 0;
    for (size_t index = 0; index < count; index++) {
        if (together) begin_reads(database, index);
        bind_text(database->read_by_key, 1, rows[index].key, rows[index].key_bytes);
        int64_t one = take_rows(database->read_by_key);
        if (one < 0) return one;
        found += one;
    }
    if (together) end_reads(database);
    return found;
}

int64_t rl_read_newest(rl_database *database, int64_t limit) {
    sqlite3_bind_int64(database->read_newest, 1, limit);
    return take_rows(database->read_newest);
}

int64_t rl_read_before(rl_database *database, const rl_row *row, int64_t limit) {
    sqlite3_bind_int64(database->read_before, 1, limit);
    bind_text(database->read_before, 2, row->created_at, row->created_at_bytes);
    return take_rows(database->read_before);
}

int64_t rl_scan(rl_database *database, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int code = prepare(database, sql, &statement);
    if (code != SQLITE_OK) return -code;
    int64_t rows = take_rows(statement);
    sqlite3_finalize(statement);
    return rows;
}
