#ifndef CRAWLIMITS_H
#define CRAWLIMITS_H

#include <stddef.h>
#include <stdint.h>

/// What this machine's kernel and C libraries give to a plain C program: the limits that benchmarks are held against.
/// All functions block; each is for one thread at a time and keeps no state. Rates are measured over wall time with
/// CLOCK_MONOTONIC. What fails returns a negative errno (SQLite: minus its extended code; libzmq: -errno).

const char *rl_sqlite_version(void);
const char *rl_zmq_version(void);

/// CLOCK_MONOTONIC in nanoseconds.
uint64_t rl_now(void);

// MARK: Memory

/// Gives back to the system what the heap does not use.
void rl_trim_heap(void);

// MARK: Disk

/// Writes a block of `bytes` to the new file `path` and calls fdatasync, again and again for `nanoseconds`, at most
/// `capacity` times. `appends`: each block behind the last, as in a file that grows; else all in the same place. Notes the
/// nanoseconds of each in `samples`. Removes the file. Returns how often.
int64_t rl_fsync_loop(const char *path, size_t bytes, int appends, uint64_t nanoseconds, uint64_t *samples,
                      size_t capacity);

// MARK: SQLite, in a database that the store has made

/// When a register was written, and by whom. The later time wins, of equal ones the greater origin.
typedef struct {
    uint64_t time, origin;
} rl_stamp;

/// A todo with its stamps. Bytes are UTF-8 with their length, and the caller's.
typedef struct {
    const char *key, *text, *created_at;
    uint32_t key_bytes, text_bytes, created_at_bytes;
    int32_t completed;
    rl_stamp presence_stamp, text_stamp, completed_stamp;
} rl_row;

/// A connection with its prepared statements.
typedef struct rl_database rl_database;

/// Opens the existing database `path`, runs `pragmas`, and prepares what the loops need. 0, and `opened` to be closed.
int rl_database_open(const char *path, int is_read_only, const char *pragmas, rl_database **opened);
void rl_database_close(rl_database *database);

/// One transaction: INSERTs of new rows into `todos` and `stamps`, without a look at what is there. Returns `count`.
int64_t rl_insert(rl_database *database, const rl_row *rows, size_t count);

/// One transaction: for each row a SELECT by `extern_id` of `todos` with `stamps`, if there is none one of `tombstones`,
/// and then whatever has to be written so that the later registers win: an INSERT, an UPDATE of what is later, or nothing.
/// Returns how many rows changed something.
int64_t rl_merge(rl_database *database, const rl_row *rows, size_t count);

/// Each by a prepared SELECT of the five columns, which are all fetched, texts copied out. Returns how many were found.
int64_t rl_read_by_id(rl_database *database, const int64_t *ids, size_t count);
/// The same by `extern_id`, which is all that is used of `rows`.
int64_t rl_read_by_key(rl_database *database, const rl_row *rows, size_t count);
/// The newest `limit` todos. Returns how many there are.
int64_t rl_read_newest(rl_database *database, int64_t limit);
/// All rows of one SELECT, every column fetched, texts copied out. Returns how many.
int64_t rl_scan(rl_database *database, const char *sql);

#endif
