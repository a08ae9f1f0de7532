#define _GNU_SOURCE
#include "meter.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, RECEIVE_BUFFER = 4 << 20, MAX_DATAGRAM = 65507 };
enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES };

/// A datagram socket on loopback and its address; -errno when there is none.
static int open_socket(struct sockaddr_in *address) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int size = RECEIVE_BUFFER;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof *address;
    if (bind(descriptor, (struct sockaddr *)address, length) != 0 ||
        getsockname(descriptor, (struct sockaddr *)address, &length) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

static void set_timeout(int descriptor, int milliseconds) {
    struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

/// 64 datagrams with their buffers and addresses, for one call of sendmmsg or recvmmsg.
typedef struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in addresses[BATCH];
    uint8_t *buffers;
    size_t capacity;
} batch;

static batch *make_batch(size_t capacity) {
    batch *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    made->capacity = capacity;
    made->buffers = calloc(BATCH, capacity);
    for (int index = 0; index < BATCH && made->buffers != NULL; index++) {
        made->vectors[index] = (struct iovec){.iov_base = made->buffers + index * capacity, .iov_len = capacity};
        made->headers[index].msg_hdr = (struct msghdr){.msg_name = &made->addresses[index],
                                                       .msg_namelen = sizeof made->addresses[index],
                                                       .msg_iov = &made->vectors[index],
                                                       .msg_iovlen = 1};
    }
    return made;
}

static void free_batch(batch *made) {
    if (made != NULL) free(made->buffers);
    free(made);
}

/// One flow: what both threads see.
typedef struct datagram_flow {
    meter meter;
    int sender;
    int receivers[RL_MAX_RECEIVERS];
    struct sockaddr_in addresses[RL_MAX_RECEIVERS];
    uint8_t key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    batch *outgoing, *incoming;
} datagram_flow;

static size_t wire_bytes(const rl_flow *flow) {
    return flow->payload_bytes + (flow->is_sealed ? (size_t)(NONCE + TAG) : 0);
}

static int is_good(const datagram_flow *flow, uint8_t *data, size_t length, uint8_t *opened) {
    if (length != wire_bytes(flow->meter.flow)) return 0;
    if (!flow->meter.flow->is_sealed) return 1;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(opened, NULL, NULL, data + NONCE, length - NONCE, NULL, 0, data,
                                                      flow->key) == 0;
}

/// What is there for one receiver, at most a batch. Returns how many datagrams came.
static int receive_batch(datagram_flow *flow, unsigned receiver, uint8_t *opened) {
    batch *incoming = flow->incoming;
    for (int index = 0; index < BATCH; index++)
        incoming->headers[index].msg_hdr.msg_namelen = sizeof incoming->addresses[index];
    int count = recvmmsg(flow->receivers[receiver], incoming->headers, BATCH, MSG_DONTWAIT, NULL);
    uint64_t good = 0;
    for (int index = 0; index < count; index++)
        good += (uint64_t)is_good(flow, incoming->vectors[index].iov_base, incoming->headers[index].msg_len, opened);
    if (good > 0) meter_count(&flow->meter, receiver, good);
    return count > 0 ? count : 0;
}

static void *receive_all(void *context) {
    datagram_flow *flow = context;
    unsigned receivers = flow->meter.flow->receivers;
    struct pollfd polled[RL_MAX_RECEIVERS];
    for (unsigned index = 0; index < receivers; index++)
        polled[index] = (struct pollfd){.fd = flow->receivers[index], .events = POLLIN};
    uint8_t opened[MAX_DATAGRAM];
    while (!atomic_load(&flow->meter.is_over)) {
        int count = 0;
        for (unsigned index = 0; index < receivers; index++) count += receive_batch(flow, index, opened);
        if (count == 0) poll(polled, receivers, 10);
    }
    return NULL;
}

/// One message to one receiver; sealed for it alone, as each packet has a nonce of its own.
static void fill(datagram_flow *flow, unsigned slot, unsigned receiver, const uint8_t *plain) {
    batch *outgoing = flow->outgoing;
    uint8_t *buffer = outgoing->vectors[slot].iov_base;
    size_t payload = flow->meter.flow->payload_bytes;
    if (flow->meter.flow->is_sealed) {
        randombytes_buf(buffer, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(buffer + NONCE, NULL, plain, payload, NULL, 0, NULL, buffer,
                                                   flow->key);
    } else {
        memcpy(buffer, plain, payload);
    }
    outgoing->vectors[slot].iov_len = wire_bytes(flow->meter.flow);
    outgoing->addresses[slot] = flow->addresses[receiver];
}

static int send_batch(datagram_flow *flow, unsigned count) {
    unsigned done = 0;
    while (done < count) {
        int sent = sendmmsg(flow->sender, flow->outgoing->headers + done, count - done, MSG_NOSIGNAL);
        if (sent > 0) {
            done += (unsigned)sent;
        } else if (errno == ENOBUFS || errno == ENOMEM || errno == EINTR || errno == EAGAIN) {
            poll(NULL, 0, 1);
        } else {
            return -errno;
        }
    }
    return 0;
}

static int send_all(datagram_flow *flow) {
    unsigned receivers = flow->meter.flow->receivers, slot = 0;
    unsigned messages = receivers >= BATCH ? 1 : BATCH / receivers;
    // Never the whole window at once: the sender would wait for the last receipt before each batch.
    unsigned share = flow->meter.flow->window / 4;
    if (share > 0 && messages > share) messages = share;
    uint8_t *plain = calloc(1, flow->meter.flow->payload_bytes);
    if (plain == NULL) return -ENOMEM;
    int error = 0;
    while (error == 0 && meter_goes_on(&flow->meter)) {
        meter_wait(&flow->meter, messages);
        slot = 0;
        for (unsigned message = 0; message < messages; message++) {
            uint64_t number = flow->meter.handed + message;
            memcpy(plain, &number, sizeof number);
            for (unsigned receiver = 0; receiver < receivers; receiver++) fill(flow, slot++, receiver, plain);
        }
        error = send_batch(flow, slot);
        flow->meter.handed += messages;
    }
    free(plain);
    return error;
}

static void close_flow(datagram_flow *flow) {
    if (flow->sender >= 0) close(flow->sender);
    for (unsigned index = 0; index < RL_MAX_RECEIVERS; index++)
        if (flow->receivers[index] >= 0) close(flow->receivers[index]);
    free_batch(flow->outgoing);
    free_batch(flow->incoming);
    free(flow);
}

static int open_flow(datagram_flow *flow, const rl_flow *wanted) {
    struct sockaddr_in own;
    if ((flow->sender = open_socket(&own)) < 0) return flow->sender;
    for (unsigned index = 0; index < wanted->receivers; index++) {
        flow->receivers[index] = open_socket(&flow->addresses[index]);
        if (flow->receivers[index] < 0) return flow->receivers[index];
    }
    flow->outgoing = make_batch(wire_bytes(wanted));
    flow->incoming = make_batch(wire_bytes(wanted));
    if (flow->outgoing == NULL || flow->incoming == NULL) return -ENOMEM;
    if (flow->outgoing->buffers == NULL || flow->incoming->buffers == NULL) return -ENOMEM;
    crypto_aead_xchacha20poly1305_ietf_keygen(flow->key);
    return 0;
}

/// Keeps a thread on the core with this number among those that the process may use. Left to itself the scheduler often
/// puts both threads on one core, since each wakes the other, which halves the rate.
static void pin(pthread_t thread, int number) {
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &all) && number-- == 0) CPU_SET(core, &one);
    pthread_setaffinity_np(thread, sizeof one, &one);
}

int rl_datagram_flow(const rl_flow *wanted, rl_flow_result *result) {
    int error = meter_check(wanted);
    if (error != 0 || sodium_init() < 0 || wire_bytes(wanted) > MAX_DATAGRAM) return error != 0 ? error : -EINVAL;
    datagram_flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL) return -ENOMEM;
    flow->sender = -1;
    for (unsigned index = 0; index < RL_MAX_RECEIVERS; index++) flow->receivers[index] = -1;
    error = open_flow(flow, wanted);
    pthread_t thread;
    if (error == 0) {
        meter_start(&flow->meter, wanted);
        error = -pthread_create(&thread, NULL, receive_all, flow);
        if (error == 0) {
            cpu_set_t before;
            int is_known = sched_getaffinity(0, sizeof before, &before) == 0;
            pin(thread, 1);
            pin(pthread_self(), 0);
            error = send_all(flow);
            if (is_known) sched_setaffinity(0, sizeof before, &before);
            meter_finish(&flow->meter, result);
            pthread_join(thread, NULL);
        }
    }
    close_flow(flow);
    return error;
}

// MARK: Round trips

typedef struct echo {
    int descriptor;
    _Atomic int is_over;
} echo;

static void *echo_datagrams(void *context) {
    echo *echo = context;
    uint8_t buffer[MAX_DATAGRAM];
    while (!atomic_load(&echo->is_over)) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(echo->descriptor, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (count >= 0) sendto(echo->descriptor, buffer, (size_t)count, MSG_NOSIGNAL, (struct sockaddr *)&from, length);
    }
    return NULL;
}

static int64_t measure(int descriptor, const struct sockaddr_in *peer, size_t payload, double seconds, double *samples,
                       size_t capacity) {
    uint8_t *buffer = calloc(1, payload);
    if (buffer == NULL) return -ENOMEM;
    uint64_t start = rl_now(), before = start;
    int64_t count = 0;
    while (before - start < (uint64_t)(seconds * 1e9) && (size_t)count < capacity) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        if (sendto(descriptor, buffer, payload, MSG_NOSIGNAL, (const struct sockaddr *)peer, sizeof *peer) < 0 ||
            recvfrom(descriptor, buffer, payload, 0, (struct sockaddr *)&from, &length) < 0) {
            count = -errno;
            break;
        }
        uint64_t after = rl_now();
        samples[count++] = (double)(after - before) / 1e3;
        before = after;
    }
    free(buffer);
    return count;
}

int64_t rl_datagram_round_trips(uint32_t payload_bytes, double seconds, double *samples, size_t capacity) {
    if (payload_bytes == 0 || payload_bytes > MAX_DATAGRAM) return -EINVAL;
    struct sockaddr_in own, peer;
    echo echo = {.is_over = 0};
    int descriptor = open_socket(&own);
    if (descriptor < 0) return descriptor;
    echo.descriptor = open_socket(&peer);
    int64_t count = echo.descriptor;
    pthread_t thread;
    if (echo.descriptor >= 0) {
        set_timeout(descriptor, 1000);
        set_timeout(echo.descriptor, 20);
        count = -pthread_create(&thread, NULL, echo_datagrams, &echo);
        if (count == 0) {
            count = measure(descriptor, &peer, payload_bytes, seconds, samples, capacity);
            atomic_store(&echo.is_over, 1);
            pthread_join(thread, NULL);
        }
        close(echo.descriptor);
    }
    close(descriptor);
    return count;
}
