#ifndef CRAWLIMITS_H
#define CRAWLIMITS_H

#include <stddef.h>
#include <stdint.h>

/// What this machine's kernel and C libraries give to a plain C program: the limits that benchmarks are held against.
/// All functions block; each is for one thread at a time and keeps no state. Rates are measured over wall time with
/// CLOCK_MONOTONIC. What fails returns a negative errno (SQLite: minus its extended code; libzmq: -errno).

const char *rl_sqlite_version(void);
const char *rl_zmq_version(void);

#endif
