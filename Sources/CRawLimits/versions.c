#include "CRawLimits.h"
#include <sqlite3.h>
#include <stdio.h>
#include <zmq.h>

const char *rl_sqlite_version(void) { return sqlite3_libversion(); }

const char *rl_sqlite_text(int code) { return sqlite3_errstr(code); }

const char *rl_zmq_version(void) {
    static char text[32];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}
