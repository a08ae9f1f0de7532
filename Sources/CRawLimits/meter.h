#ifndef METER_H
#define METER_H

#include "CRawLimits.h"
#include <stdatomic.h>
#include <stdint.h>

/// What a sending and a receiving thread of one rl_flow tell each other.
typedef struct meter {
    const rl_flow *flow;
    /// Messages by receiver, written by the receiving thread.
    _Atomic uint64_t counts[RL_MAX_RECEIVERS];
    _Atomic uint64_t last_arrival_ns;
    /// The receiving thread ends soon after it is set.
    _Atomic int is_over;
    /// The sending thread's.
    uint64_t start_ns;
    uint64_t handed;
    uint64_t forgiven;
} meter;

/// 0, or -EINVAL for a flow that cannot be.
int meter_check(const rl_flow *flow);

/// Takes the time; the sender begins now.
void meter_start(meter *meter, const rl_flow *flow);

/// Whether the time to send is not over.
int meter_goes_on(const meter *meter);

/// Waits until `more` messages may be handed over, in steps of some 100 microseconds.
void meter_wait(meter *meter, uint64_t more);

/// For the receiving thread: so many more came to one receiver.
void meter_count(meter *meter, unsigned receiver, uint64_t more);

/// Waits until all have arrived, or nothing has for 100 ms (300 ms without a window); then ends the receiving thread's
/// loop and sums up.
void meter_finish(meter *meter, rl_flow_result *result);

#endif
