#include "meter.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { SETTLE_MS = 5000, DEADLINE_MS = 1000, TURN = 256 };

/// Key pairs of a server and a client, as text.
typedef struct curve_keys {
    char server_public[41], server_secret[41], client_public[41], client_secret[41];
} curve_keys;

/// One side: a context with one I/O thread, and its sockets.
typedef struct side {
    void *context;
    void *sockets[RL_MAX_RECEIVERS];
    unsigned count;
} side;

static int set(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0 ? 0 : -zmq_errno();
}

/// `is_unbounded`: without marks, else with those of libzmq.
static void *add_socket(side *side, int type, int is_unbounded) {
    void *socket = zmq_socket(side->context, type);
    if (socket == NULL) return NULL;
    side->sockets[side->count++] = socket;
    set(socket, ZMQ_LINGER, 0);
    if (is_unbounded) {
        set(socket, ZMQ_SNDHWM, 0);
        set(socket, ZMQ_RCVHWM, 0);
    }
    return socket;
}

static void close_side(side *side) {
    for (unsigned index = 0; index < side->count; index++) zmq_close(side->sockets[index]);
    while (side->context != NULL && zmq_ctx_term(side->context) != 0 && zmq_errno() == EINTR) {}
}

static int bind_server(void *socket, const curve_keys *keys, char endpoint[64]) {
    if (keys != NULL) {
        if (set(socket, ZMQ_CURVE_SERVER, 1) != 0) return -zmq_errno();
        if (zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->server_secret, 41) != 0) return -zmq_errno();
    }
    size_t length = 64;
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) return -zmq_errno();
    return zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0 ? 0 : -zmq_errno();
}

static int connect_client(void *socket, const curve_keys *keys, const char *endpoint) {
    if (keys != NULL && (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->server_public, 41) != 0 ||
                         zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->client_public, 41) != 0 ||
                         zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->client_secret, 41) != 0))
        return -zmq_errno();
    return zmq_connect(socket, endpoint) == 0 ? 0 : -zmq_errno();
}

static int make_keys(curve_keys *keys) {
    if (zmq_curve_keypair(keys->server_public, keys->server_secret) != 0 ||
        zmq_curve_keypair(keys->client_public, keys->client_secret) != 0)
        return -zmq_errno();
    return 0;
}

/// One flow: what both threads see. Each side's sockets are its thread's.
typedef struct zmq_flow {
    meter meter;
    side sending, receiving;
    curve_keys keys;
    /// Receivers that have heard of the sender; they may count from then on.
    _Atomic unsigned heard;
} zmq_flow;

/// Takes what is there for one receiver, at most a turn. Messages with number UINT64_MAX are for finding out who hears.
static unsigned receive_turn(zmq_flow *flow, unsigned receiver, int *has_heard) {
    void *socket = flow->receiving.sockets[receiver];
    unsigned taken = 0, counted = 0;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (taken < TURN && zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0) {
        // A ROUTER gives the sender's id first.
        if (zmq_msg_more(&message)) continue;
        taken++;
        uint64_t number = 0;
        if (zmq_msg_size(&message) == flow->meter.flow->payload_bytes)
            memcpy(&number, zmq_msg_data(&message), sizeof number);
        if (number != UINT64_MAX) {
            counted++;
        } else if (!has_heard[receiver]) {
            has_heard[receiver] = 1;
            atomic_fetch_add(&flow->heard, 1);
        }
    }
    zmq_msg_close(&message);
    if (counted > 0) meter_count(&flow->meter, receiver, counted);
    return taken;
}

static void *receive_all(void *context) {
    zmq_flow *flow = context;
    unsigned receivers = flow->receiving.count;
    int has_heard[RL_MAX_RECEIVERS] = {0};
    zmq_pollitem_t polled[RL_MAX_RECEIVERS];
    for (unsigned index = 0; index < receivers; index++)
        polled[index] = (zmq_pollitem_t){.socket = flow->receiving.sockets[index], .events = ZMQ_POLLIN};
    while (!atomic_load(&flow->meter.is_over)) {
        unsigned count = 0;
        for (unsigned index = 0; index < receivers; index++) count += receive_turn(flow, index, has_heard);
        if (count == 0) zmq_poll(polled, (int)receivers, 10);
    }
    return NULL;
}

/// Sends until every receiver has heard something: a subscription takes its time.
static int settle(zmq_flow *flow, uint8_t *buffer) {
    void *socket = flow->sending.sockets[0];
    uint64_t deadline = rl_now() + (uint64_t)SETTLE_MS * 1000000;
    uint64_t number = UINT64_MAX;
    memcpy(buffer, &number, sizeof number);
    while (atomic_load(&flow->heard) < flow->receiving.count) {
        if (rl_now() > deadline) return -ETIMEDOUT;
        zmq_send(socket, buffer, flow->meter.flow->payload_bytes, ZMQ_DONTWAIT);
        zmq_poll(NULL, 0, 2);
    }
    return 0;
}

static int send_all(zmq_flow *flow) {
    const rl_flow *wanted = flow->meter.flow;
    void *socket = flow->sending.sockets[0];
    uint8_t *buffer = calloc(1, wanted->payload_bytes);
    if (buffer == NULL) return -ENOMEM;
    int error = settle(flow, buffer);
    meter_start(&flow->meter, wanted);
    // Never the whole window at once: the sender would wait for the last receipt before each batch.
    unsigned together = wanted->window / 4;
    together = wanted->window == 0 || together > 64 ? 64 : together < 1 ? 1 : together;
    while (error == 0 && meter_goes_on(&flow->meter)) {
        meter_wait(&flow->meter, together);
        for (unsigned index = 0; index < together && error == 0; index++) {
            memcpy(buffer, &flow->meter.handed, sizeof flow->meter.handed);
            if (zmq_send(socket, buffer, wanted->payload_bytes, 0) >= 0) {
                flow->meter.handed++;
            } else if (zmq_errno() != EINTR && zmq_errno() != EAGAIN) {
                error = -zmq_errno();
            } else if (!meter_goes_on(&flow->meter)) {
                break;
            }
        }
    }
    free(buffer);
    return error;
}

/// `receiver_binds`: the receiver is a ROUTER, else receivers are SUBs.
static int open_flow(zmq_flow *flow, const rl_flow *wanted, int receiver_binds) {
    const curve_keys *keys = wanted->is_sealed ? &flow->keys : NULL;
    if (keys != NULL && make_keys(&flow->keys) != 0) return -zmq_errno();
    flow->sending.context = zmq_ctx_new();
    flow->receiving.context = zmq_ctx_new();
    if (flow->sending.context == NULL || flow->receiving.context == NULL) return -ENOMEM;
    // A mark of some windows would not do: libzmq learns late of what was read, and drops what it takes to be over it.
    int is_unbounded = wanted->window > 0;
    void *sender = add_socket(&flow->sending, receiver_binds ? ZMQ_DEALER : ZMQ_PUB, is_unbounded);
    if (sender == NULL) return -zmq_errno();
    set(sender, ZMQ_SNDTIMEO, DEADLINE_MS);
    char endpoint[64];
    int error = 0;
    if (receiver_binds) {
        void *receiver = add_socket(&flow->receiving, ZMQ_ROUTER, is_unbounded);
        if (receiver == NULL) return -zmq_errno();
        error = bind_server(receiver, keys, endpoint);
        return error != 0 ? error : connect_client(sender, keys, endpoint);
    }
    error = bind_server(sender, keys, endpoint);
    for (unsigned index = 0; index < wanted->receivers && error == 0; index++) {
        void *receiver = add_socket(&flow->receiving, ZMQ_SUB, is_unbounded);
        if (receiver == NULL) return -zmq_errno();
        if (zmq_setsockopt(receiver, ZMQ_SUBSCRIBE, "", 0) != 0) return -zmq_errno();
        error = connect_client(receiver, keys, endpoint);
    }
    return error;
}

static int run_flow(const rl_flow *wanted, rl_flow_result *result, int receiver_binds) {
    int error = meter_check(wanted);
    if (error != 0) return error;
    zmq_flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL) return -ENOMEM;
    flow->meter.flow = wanted;
    error = open_flow(flow, wanted, receiver_binds);
    pthread_t thread;
    if (error == 0) error = -pthread_create(&thread, NULL, receive_all, flow);
    if (error == 0) {
        error = send_all(flow);
        meter_finish(&flow->meter, result);
        pthread_join(thread, NULL);
    }
    close_side(&flow->sending);
    close_side(&flow->receiving);
    free(flow);
    return error;
}

int rl_zmq_broadcast_flow(const rl_flow *flow, rl_flow_result *result) { return run_flow(flow, result, 0); }

int rl_zmq_unicast_flow(const rl_flow *flow, rl_flow_result *result) {
    return flow->receivers == 1 ? run_flow(flow, result, 1) : -EINVAL;
}

// MARK: Round trips

typedef struct zmq_echo {
    side side;
    _Atomic int is_over;
} zmq_echo;

static void *echo_messages(void *context) {
    zmq_echo *echo = context;
    void *socket = echo->side.sockets[0];
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (!atomic_load(&echo->is_over))
        while (zmq_msg_recv(&part, socket, 0) >= 0) {
            int more = zmq_msg_more(&part);
            if (zmq_msg_send(&part, socket, more ? ZMQ_SNDMORE : 0) < 0) break;
        }
    zmq_msg_close(&part);
    return NULL;
}

static int64_t measure(void *socket, size_t payload, double seconds, double *samples, size_t capacity) {
    uint8_t *buffer = calloc(1, payload);
    if (buffer == NULL) return -ENOMEM;
    uint64_t start = 0, before = 0;
    int64_t count = -1;
    // The first one waits for the connection and is not counted.
    while (before - start < (uint64_t)(seconds * 1e9) && count < (int64_t)capacity) {
        if (zmq_send(socket, buffer, payload, 0) < 0 || zmq_recv(socket, buffer, payload, 0) < 0) {
            count = -zmq_errno();
            break;
        }
        uint64_t after = rl_now();
        if (count >= 0) samples[count] = (double)(after - before) / 1e3;
        if (count < 0) start = after;
        count++;
        before = after;
    }
    free(buffer);
    return count;
}

int64_t rl_zmq_round_trips(uint32_t payload_bytes, int is_sealed, double seconds, double *samples, size_t capacity) {
    if (payload_bytes == 0 || capacity == 0) return -EINVAL;
    curve_keys keys;
    if (is_sealed && make_keys(&keys) != 0) return -zmq_errno();
    zmq_echo echo = {.side.context = zmq_ctx_new()};
    side client = {.context = zmq_ctx_new()};
    int64_t count = -ENOMEM;
    if (echo.side.context == NULL || client.context == NULL) goto end;
    char endpoint[64];
    void *router = add_socket(&echo.side, ZMQ_ROUTER, 0), *dealer = add_socket(&client, ZMQ_DEALER, 0);
    if (router == NULL || dealer == NULL) goto end;
    set(router, ZMQ_RCVTIMEO, 20);
    set(dealer, ZMQ_RCVTIMEO, SETTLE_MS);
    set(dealer, ZMQ_SNDTIMEO, SETTLE_MS);
    if ((count = bind_server(router, is_sealed ? &keys : NULL, endpoint)) != 0) goto end;
    if ((count = connect_client(dealer, is_sealed ? &keys : NULL, endpoint)) != 0) goto end;
    pthread_t thread;
    if ((count = -pthread_create(&thread, NULL, echo_messages, &echo)) != 0) goto end;
    count = measure(dealer, payload_bytes, seconds, samples, capacity);
    atomic_store(&echo.is_over, 1);
    pthread_join(thread, NULL);
end:
    close_side(&client);
    close_side(&echo.side);
    return count;
}
