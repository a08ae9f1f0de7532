#include "meter.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_NS = 100000000, OPEN_PATIENCE_NS = 300000000, STEP_NS = 50000 };

static void pause_for(uint64_t nanoseconds) {
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)nanoseconds};
    nanosleep(&time, NULL);
}

int meter_check(const rl_flow *flow) {
    if (flow->receivers < 1 || flow->receivers > RL_MAX_RECEIVERS) return -EINVAL;
    if (flow->payload_bytes < sizeof(uint64_t) || flow->payload_bytes > 1 << 20) return -EINVAL;
    return flow->seconds > 0 && flow->seconds <= 3600 ? 0 : -EINVAL;
}

void meter_start(meter *meter, const rl_flow *flow) {
    meter->flow = flow;
    meter->start_ns = rl_now();
    atomic_store(&meter->last_arrival_ns, meter->start_ns);
}

int meter_goes_on(const meter *meter) {
    return rl_now() - meter->start_ns < (uint64_t)(meter->flow->seconds * 1e9);
}

static uint64_t slowest(const meter *meter) {
    uint64_t least = UINT64_MAX;
    for (unsigned index = 0; index < meter->flow->receivers; index++) {
        uint64_t count = atomic_load_explicit(&meter->counts[index], memory_order_relaxed);
        if (count < least) least = count;
    }
    return least;
}

static uint64_t on_the_way(const meter *meter) {
    uint64_t done = slowest(meter) + meter->forgiven;
    return meter->handed > done ? meter->handed - done : 0;
}

void meter_wait(meter *meter, uint64_t more) {
    uint64_t window = meter->flow->window;
    if (window == 0) return;
    if (more > window) more = window;
    uint64_t since = 0, seen = 0;
    while (on_the_way(meter) + more > window) {
        uint64_t now = rl_now(), count = slowest(meter);
        if (since == 0 || count != seen) {
            since = now;
            seen = count;
        } else if (now - since > PATIENCE_NS) {
            meter->forgiven += on_the_way(meter);
            return;
        }
        pause_for(STEP_NS);
    }
}

void meter_count(meter *meter, unsigned receiver, uint64_t more) {
    atomic_fetch_add_explicit(&meter->counts[receiver], more, memory_order_relaxed);
    atomic_store_explicit(&meter->last_arrival_ns, rl_now(), memory_order_relaxed);
}

void meter_finish(meter *meter, rl_flow_result *result) {
    uint64_t patience = meter->flow->window == 0 ? OPEN_PATIENCE_NS : PATIENCE_NS;
    uint64_t sent_ns = rl_now();
    while (slowest(meter) < meter->handed) {
        uint64_t now = rl_now(), last = atomic_load(&meter->last_arrival_ns);
        if (last < sent_ns) last = sent_ns;
        if (now > last + patience) break;
        pause_for(STEP_NS);
    }
    atomic_store(&meter->is_over, 1);
    memset(result, 0, sizeof *result);
    result->seconds = (double)(atomic_load(&meter->last_arrival_ns) - meter->start_ns) / 1e9;
    result->handed = meter->handed;
    result->least = UINT64_MAX;
    for (unsigned index = 0; index < meter->flow->receivers; index++) {
        uint64_t count = atomic_load(&meter->counts[index]);
        if (count < result->least) result->least = count;
        if (count > result->most) result->most = count;
        result->total += count;
    }
}
