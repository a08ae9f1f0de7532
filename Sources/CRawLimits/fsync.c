#define _GNU_SOURCE
#include "CRawLimits.h"
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t rl_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void rl_trim_heap(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/// 0, or a negative errno.
static int write_all(int file, const char *bytes, size_t count, off_t place) {
    while (count > 0) {
        ssize_t written = pwrite(file, bytes, count, place);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? -errno : -EIO;
        bytes += written;
        count -= (size_t)written;
        place += written;
    }
    return 0;
}

int64_t rl_fsync_loop(const char *path, size_t bytes, int appends, uint64_t nanoseconds, uint64_t *samples,
                      size_t capacity) {
    char *block = calloc(1, bytes);
    if (block == NULL) return -ENOMEM;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        int code = errno;
        free(block);
        return -code;
    }
    int code = write_all(file, block, bytes, 0);
    if (code == 0 && fsync(file) != 0) code = -errno;
    size_t count = 0;
    uint64_t begin = rl_now(), last = begin;
    while (code == 0 && count < capacity && last - begin < nanoseconds) {
        block[count % bytes]++;
        code = write_all(file, block, bytes, appends ? (off_t)((count + 1) * bytes) : 0);
        if (code == 0 && fdatasync(file) != 0) code = -errno;
        uint64_t now = rl_now();
        samples[count++] = now - last;
        last = now;
    }
    close(file);
    unlink(path);
    free(block);
    return code < 0 ? code : (int64_t)count;
}
