/* SPDX-License-Identifier: MPL-2.0 */
/* Counts failed attempts per task and class. Only tasks that failed and have not succeeded since
 * are in the set, as runs whose value packs the four counts (16 bits each): a stage without
 * failures costs nothing, and a worker that dies with thousands of tasks adds one run. */
#include "coordinator/retry.h"

#include "base/assert.h"
#include "base/limits.h"

enum {
    WAIT_DOUBLINGS_MAX = 16,
    COUNT_BITS = 16,
    COUNT_MASK = 0xffff
};

zn_retry_class zn_retry_class_of(const zonda_error *error) {
    if (error->has_lost) {
        return ZN_RETRY_INFRA;
    }
    switch (error->code) {
    case ZONDA_ERR_WORKER_LOST:
    case ZONDA_ERR_KEYS:
    case ZONDA_ERR_STALE: /* taken for dead, and overtaken */
        return ZN_RETRY_INFRA;
    case ZONDA_ERR_CRASH:
    case ZONDA_ERR_HUNG:
        return ZN_RETRY_CRASH;
    case ZONDA_ERR_DISK_FULL:
        return ZN_RETRY_DISK;
    default:
        return ZN_RETRY_USER;
    }
}

const char *zn_retry_class_name(zn_retry_class class) {
    static const char *const names[ZN_RETRY_CLASSES] = {
        [ZN_RETRY_USER] = "user error",
        [ZN_RETRY_INFRA] = "infrastructure",
        [ZN_RETRY_CRASH] = "crash",
        [ZN_RETRY_DISK] = "infrastructure",
    };
    ZN_ASSERT(class < ZN_RETRY_CLASSES);
    return names[class];
}

static uint32_t or_usual(uint64_t wanted, uint32_t usual) {
    return wanted > 0 ? (uint32_t)wanted : usual;
}

zn_retry_limits zn_retry_limits_of(const zn_msg_open_job *open) {
    uint32_t infra = or_usual(open->infra_attempts, ZN_ATTEMPTS_INFRA_MAX);
    return (zn_retry_limits){
        .attempts = {
            [ZN_RETRY_USER] = or_usual(open->user_attempts, ZN_ATTEMPTS_USER_MAX),
            [ZN_RETRY_INFRA] = infra,
            [ZN_RETRY_CRASH] = or_usual(open->crash_attempts, ZN_ATTEMPTS_CRASH_MAX),
            [ZN_RETRY_DISK] = infra,
        },
    };
}

uint64_t zn_retry_wait_ms(zn_retry_class class, uint32_t failures) {
    bool elsewhere = class == ZN_RETRY_INFRA || class == ZN_RETRY_DISK;
    uint32_t waits = elsewhere && failures > 0 ? failures - 1 : failures;
    if (waits == 0) {
        return 0;
    }
    uint32_t doublings = waits - 1 < WAIT_DOUBLINGS_MAX ? waits - 1 : WAIT_DOUBLINGS_MAX;
    uint64_t ms = (uint64_t)ZN_RETRY_WAIT_MS << doublings;
    return ms < ZN_RETRY_WAIT_MS_MAX ? ms : ZN_RETRY_WAIT_MS_MAX;
}

/* The part of [task, end) that has one value: what is counted for it, or 0 for a gap. */
static zn_task_run next_part(const zn_task_set *failures, uint32_t task, uint32_t end) {
    zn_task_run part = { task, end - task, 0 };
    zn_task_run found;
    if (!zn_task_set_next(failures, task, &found)) {
        return part;
    }
    if (found.first > task) {
        part.count = found.first < end ? found.first - task : part.count;
        return part;
    }
    part.count = found.count < part.count ? found.count : part.count;
    part.value = found.value;
    return part;
}

uint32_t zn_retry_count(zn_task_set *failures, uint32_t first, uint32_t count, zn_retry_class class,
                        uint32_t *task) {
    unsigned shift = (unsigned)class * COUNT_BITS;
    uint32_t highest = 0;
    uint32_t end = first + count;
    for (uint32_t at = first; at < end;) {
        zn_task_run part = next_part(failures, at, end);
        if (part.value != 0) {
            zn_task_set_remove(failures, part.first, part.count);
        }
        part.value += UINT64_C(1) << shift;
        zn_task_set_insert(failures, part);
        uint32_t counted = (uint32_t)(part.value >> shift) & COUNT_MASK;
        if (counted > highest) {
            highest = counted;
            *task = part.first;
        }
        at += part.count;
    }
    return highest;
}

void zn_retry_forget(zn_task_set *failures, uint32_t first, uint32_t count) {
    uint32_t end = first + count;
    zn_task_run run;
    for (uint32_t at = first; at < end && zn_task_set_next(failures, at, &run); at = run.first) {
        if (run.first >= end) {
            return;
        }
        uint32_t behind = end - run.first;
        uint32_t removed = run.count < behind ? run.count : behind;
        zn_task_set_remove(failures, run.first, removed);
        run.first += removed;
    }
}
