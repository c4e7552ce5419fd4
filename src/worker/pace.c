/* SPDX-License-Identifier: MPL-2.0 */
/* The size of hand-outs. A chunk should be a few milliseconds of work: the way to a slot and back
 * then costs little, and no slot sits on work that others could do. Nothing is known about a new
 * stage, so it starts with single tasks; one lucky measurement may not make chunks huge, so they
 * grow fourfold at the most. Long tasks get no second chunk and no prefetch: what waits here
 * behind a long task could run elsewhere. Asked by the slot manager only. */
#include "worker/pace.h"

#include "base/clock.h"
#include "base/limits.h"

static const uint64_t CHUNK_NS = 3500 * (ZN_NS_PER_MS / 1000);
static const uint64_t SHORT_NS = 5 * ZN_NS_PER_MS;
static const uint64_t LONG_NS = 50 * ZN_NS_PER_MS;

enum {
    GROWTH_MAX = 4,
    CHUNKS_PER_SLOT = 4 /* of credit for short tasks: two in the slot, two queued or on the way */
};

void zn_pace_measure(zn_pace *pace, uint64_t tasks, uint64_t duration_ns) {
    uint64_t sample = duration_ns / (tasks == 0 ? 1 : tasks);
    sample = sample == 0 ? 1 : sample;
    pace->mean_ns = pace->mean_ns == 0 ? sample : (pace->mean_ns * 3 + sample) / 4;
    uint64_t wanted = CHUNK_NS / (pace->mean_ns == 0 ? 1 : pace->mean_ns);
    uint64_t allowed = (uint64_t)zn_pace_chunk(pace) * GROWTH_MAX;
    wanted = wanted > allowed ? allowed : wanted;
    wanted = wanted > ZN_CHUNK_TASKS_MAX ? ZN_CHUNK_TASKS_MAX : wanted;
    pace->chunk = wanted == 0 ? 1 : (uint32_t)wanted;
}

uint32_t zn_pace_chunk(const zn_pace *pace) {
    return pace->chunk == 0 ? 1 : pace->chunk;
}

uint32_t zn_pace_depth(const zn_pace *pace) {
    return pace->mean_ns != 0 && pace->mean_ns <= SHORT_NS ? ZN_CHUNKS_MAX : 1;
}

uint32_t zn_pace_credit(const zn_pace *pace, uint32_t slots) {
    uint64_t credit = slots;
    if (pace->mean_ns != 0 && pace->mean_ns <= SHORT_NS) {
        credit = (uint64_t)slots * zn_pace_chunk(pace) * CHUNKS_PER_SLOT;
    } else if (pace->mean_ns != 0 && pace->mean_ns < LONG_NS) {
        credit = (uint64_t)slots * 2;
    }
    return credit > ZN_CREDIT_TASKS_MAX ? ZN_CREDIT_TASKS_MAX : (uint32_t)credit;
}
