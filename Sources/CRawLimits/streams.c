#define _GNU_SOURCE
#include "meter.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 5 };

/// The two ends of a TCP connection on loopback, with deadlines for each call. 0 or -errno.
static int connect_pair(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    ends[0] = ends[1] = -1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return -errno;
    int error = 0;
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0 ||
        (ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        connect(ends[0], (struct sockaddr *)&address, length) != 0 ||
        (ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        error = -errno;
    close(listener);
    if (error != 0 && ends[0] >= 0) close(ends[0]);
    for (int index = 0; index < 2 && error == 0; index++) {
        struct timeval time = {.tv_sec = DEADLINE_SECONDS};
        int on = 1;
        setsockopt(ends[index], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
        setsockopt(ends[index], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
        setsockopt(ends[index], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return error;
}

/// All of `length`; 0, or -1 at the end of the stream or a failure.
static int read_all(int descriptor, uint8_t *buffer, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = read(descriptor, buffer + done, length - done);
        if (count <= 0) return -1;
        done += (size_t)count;
    }
    return 0;
}

static int write_all(int descriptor, const uint8_t *buffer, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = send(descriptor, buffer + done, length - done, MSG_NOSIGNAL);
        if (count < 0) return -1;
        done += (size_t)count;
    }
    return 0;
}

/// What the thread at the second end needs.
typedef struct other_end {
    int descriptor;
    size_t length;
    uint8_t *buffer;
    uint64_t bytes;
    uint64_t last_ns;
} other_end;

static void *echo_stream(void *context) {
    other_end *end = context;
    while (read_all(end->descriptor, end->buffer, end->length) == 0)
        if (write_all(end->descriptor, end->buffer, end->length) != 0) break;
    return NULL;
}

static void *read_to_end(void *context) {
    other_end *end = context;
    ssize_t count;
    while ((count = read(end->descriptor, end->buffer, end->length)) > 0) {
        end->bytes += (uint64_t)count;
        end->last_ns = rl_now();
    }
    return NULL;
}

static int64_t measure(int descriptor, uint8_t *buffer, size_t length, double seconds, double *samples,
                       size_t capacity) {
    uint64_t start = rl_now(), before = start;
    int64_t count = 0;
    while (before - start < (uint64_t)(seconds * 1e9) && (size_t)count < capacity) {
        if (write_all(descriptor, buffer, length) != 0 || read_all(descriptor, buffer, length) != 0) return -EIO;
        uint64_t after = rl_now();
        samples[count++] = (double)(after - before) / 1e3;
        before = after;
    }
    return count;
}

static int write_for(int descriptor, const uint8_t *buffer, size_t length, uint64_t start, double seconds) {
    while (rl_now() - start < (uint64_t)(seconds * 1e9))
        if (write_all(descriptor, buffer, length) != 0) return -EIO;
    return 0;
}

/// A connection with a thread at its other end.
typedef struct connection {
    int ends[2];
    uint8_t *buffer;
    other_end other;
    pthread_t thread;
} connection;

static int open_connection(connection *made, size_t length, void *(*body)(void *)) {
    memset(made, 0, sizeof *made);
    int error = connect_pair(made->ends);
    if (error != 0) return error;
    made->buffer = calloc(1, length);
    made->other = (other_end){.descriptor = made->ends[1], .length = length, .buffer = calloc(1, length)};
    error = made->buffer == NULL || made->other.buffer == NULL
                ? -ENOMEM
                : -pthread_create(&made->thread, NULL, body, &made->other);
    if (error == 0) return 0;
    free(made->buffer);
    free(made->other.buffer);
    close(made->ends[0]);
    close(made->ends[1]);
    return error;
}

/// Tells the other end that nothing more comes and waits until it has read everything.
static void close_connection(connection *made) {
    shutdown(made->ends[0], SHUT_WR);
    pthread_join(made->thread, NULL);
    free(made->buffer);
    free(made->other.buffer);
    close(made->ends[0]);
    close(made->ends[1]);
}

int rl_tcp_stream(uint32_t chunk_bytes, double seconds, uint64_t *bytes, double *taken) {
    if (chunk_bytes == 0) return -EINVAL;
    connection made;
    int error = open_connection(&made, chunk_bytes, read_to_end);
    if (error != 0) return error;
    uint64_t start = rl_now();
    error = write_for(made.ends[0], made.buffer, chunk_bytes, start, seconds);
    close_connection(&made);
    *bytes = made.other.bytes;
    *taken = made.other.last_ns > start ? (double)(made.other.last_ns - start) / 1e9 : 0;
    return error;
}

int64_t rl_tcp_round_trips(uint32_t payload_bytes, double seconds, double *samples, size_t capacity) {
    if (payload_bytes == 0) return -EINVAL;
    connection made;
    int error = open_connection(&made, payload_bytes, echo_stream);
    if (error != 0) return error;
    int64_t count = measure(made.ends[0], made.buffer, payload_bytes, seconds, samples, capacity);
    close_connection(&made);
    return count;
}
