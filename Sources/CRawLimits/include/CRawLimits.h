#ifndef CRAWLIMITS_H
#define CRAWLIMITS_H

#include <stddef.h>
#include <stdint.h>

/// What this machine's kernel and C libraries give to a plain C program: the limits that benchmarks are held against.
/// All functions block; each is for one thread at a time and keeps no state. Rates are measured over wall time with
/// CLOCK_MONOTONIC. What fails returns a negative errno (SQLite: minus its extended code; libzmq: -errno).

const char *rl_sqlite_version(void);
const char *rl_zmq_version(void);
/// What SQLite says of one of its codes.
const char *rl_sqlite_text(int code);

/// CLOCK_MONOTONIC in nanoseconds.
uint64_t rl_now(void);

// MARK: Memory

/// Gives back to the system what the heap does not use.
void rl_trim_heap(void);

// MARK: Disk

/// Writes a block of `bytes` to the new file `path` and calls fdatasync, again and again for `nanoseconds`, at most
/// `capacity` times. `appends`: each block behind the last, as in a file that grows; else all in the same place. Notes
/// the nanoseconds of each in `samples`. Removes the file. Returns how often.
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

/// One transaction: for each row a SELECT by `extern_id` of `todos` with `stamps`, if there is none one of
/// `tombstones`, and then whatever has to be written so that the later registers win: an INSERT, an UPDATE of what is
/// later, or nothing. Returns how many rows changed something.
int64_t rl_merge(rl_database *database, const rl_row *rows, size_t count);

/// Each by a prepared SELECT of the five columns, which are all fetched, texts copied out; `together`: 32 to a transaction,
/// else each in its own. Returns how many were found.
int64_t rl_read_by_id(rl_database *database, const int64_t *ids, size_t count, int together);
/// The same by `extern_id`, which is all that is used of `rows`.
int64_t rl_read_by_key(rl_database *database, const rl_row *rows, size_t count, int together);
/// The newest `limit` todos. Returns how many there are.
int64_t rl_read_newest(rl_database *database, int64_t limit);
/// Those created before `row`, newest first, at most `limit`. Returns how many there are.
int64_t rl_read_before(rl_database *database, const rl_row *row, int64_t limit);
/// All rows of one SELECT, every column fetched, texts copied out. Returns how many.
int64_t rl_scan(rl_database *database, const char *sql);

// Messages on loopback

/// Messages from one sender to `receivers` receivers, on two threads: one sends, one receives for all receivers. Each
/// message begins with its number and is filled up to `payload_bytes`, 8 at least.
typedef struct rl_flow {
    /// At most RL_MAX_RECEIVERS.
    uint32_t receivers;
    uint32_t payload_bytes;
    /// Most messages handed over that the slowest receiver has not counted; 0: no limit. Of what was lost the sender
    /// thinks again once nothing has moved for 100 ms.
    uint32_t window;
    /// Datagrams: each sealed with XChaCha20-Poly1305 and opened again. libzmq: CURVE.
    int is_sealed;
    /// How long is sent.
    double seconds;
} rl_flow;

#define RL_MAX_RECEIVERS 64

/// What became of an rl_flow.
typedef struct rl_flow_result {
    /// From the first message handed over to the last arrival.
    double seconds;
    /// Messages; each is meant for all receivers.
    uint64_t handed;
    /// Messages that came to the receiver with fewest, to the one with most, and to all together.
    uint64_t least, most, total;
} rl_flow_result;

/// sendmmsg and recvmmsg in batches of 64 on unconnected sockets, a datagram for each message and receiver, the two
/// threads on two cores where there are two. Receive buffers of 4 MiB are asked for. 0 or a negative errno.
int rl_datagram_flow(const rl_flow *flow, rl_flow_result *result);

/// libzmq over TCP, zmq_send of single messages: PUB to a SUB for each receiver. With a window there are no marks, so
/// that nothing is lost; without one they are those of libzmq, 1,000 messages. 0 or -errno.
int rl_zmq_broadcast_flow(const rl_flow *flow, rl_flow_result *result);

/// The same from a DEALER to a ROUTER; `receivers` must be 1. At the mark the DEALER waits.
int rl_zmq_unicast_flow(const rl_flow *flow, rl_flow_result *result);

/// Writes of `chunk_bytes` into one TCP connection for `seconds`, reads of as many at most. Gives the bytes read and
/// the time from the first write to the last read. 0 or a negative errno.
int rl_tcp_stream(uint32_t chunk_bytes, double seconds, uint64_t *bytes, double *taken);

/// A message there and back, between two threads, again and again for `seconds`. Writes the microseconds that each took
/// into `samples`. Returns how many were written, at most `capacity`, or a negative errno. Here as one datagram each
/// way;
int64_t rl_datagram_round_trips(uint32_t payload_bytes, double seconds, double *samples, size_t capacity);

/// as many bytes each way on one TCP connection with TCP_NODELAY;
int64_t rl_tcp_round_trips(uint32_t payload_bytes, double seconds, double *samples, size_t capacity);

/// and from a DEALER to a ROUTER and back, plain or with CURVE.
int64_t rl_zmq_round_trips(uint32_t payload_bytes, int is_sealed, double seconds, double *samples, size_t capacity);

#endif
