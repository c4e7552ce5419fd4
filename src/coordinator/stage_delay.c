/* SPDX-License-Identifier: MPL-2.0 */
/* What keeps a task that failed from being tried again at once. Such tasks stay pending; this is
 * the part of them that has to wait, with the times. One time for the whole stage says when to
 * look again, so that a task needs no timer; times are rounded up, so that tasks which fail in a
 * row are one run and are due together. Used by live_stage.c, which hands out only what does not
 * wait, and by the scheduler, which looks when it is time. */
#include "coordinator/stage_delay.h"

#include "base/clock.h"

#define STEP_NS (10 * ZN_NS_PER_MS)

/* The tasks of `set` from `at` on, before `end`; false if there are none. */
static bool next_between(const zn_task_set *set, uint32_t at, uint32_t end, zn_task_run *out) {
    if (at >= end || !zn_task_set_next(set, at, out) || out->first >= end) {
        return false;
    }
    out->count = out->count < end - out->first ? out->count : end - out->first;
    return true;
}

static void put_run(zn_stage_delay *delay, zn_task_run run) {
    uint64_t due_ns = run.value * STEP_NS;
    bool first = delay->tasks.task_count == 0 || due_ns < delay->due_ns;
    delay->due_ns = first ? due_ns : delay->due_ns;
    zn_task_set_insert(&delay->tasks, run);
}

void zn_stage_delay_put(zn_stage_delay *delay, const zn_task_set *pending, uint32_t first,
                        uint32_t count, uint64_t due_ns) {
    uint64_t due = (due_ns + STEP_NS - 1) / STEP_NS;
    uint32_t end = first + count;
    zn_task_run waits;
    zn_task_run old;
    for (uint32_t at = first; next_between(pending, at, end, &waits);
         at = waits.first + waits.count) {
        bool delayed = next_between(&delay->tasks, waits.first, waits.first + waits.count, &old);
        if (delayed && old.first == waits.first) {
            waits.count = old.count;
            continue;
        }
        waits.count = delayed ? old.first - waits.first : waits.count;
        put_run(delay, (zn_task_run){ waits.first, waits.count, due });
    }
}

void zn_stage_delay_forget(zn_stage_delay *delay, uint32_t first, uint32_t count) {
    zn_task_run run;
    for (uint32_t at = first; next_between(&delay->tasks, at, first + count, &run);
         at = run.first + run.count) {
        zn_task_set_remove(&delay->tasks, run.first, run.count);
    }
}

bool zn_stage_delay_expire(zn_stage_delay *delay, uint64_t now_ns) {
    if (delay->tasks.task_count == 0 || now_ns < delay->due_ns) {
        return false;
    }
    uint64_t due = UINT64_MAX;
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&delay->tasks, at, &run); at = run.first + run.count) {
        if (run.value * STEP_NS <= now_ns) {
            zn_task_set_remove(&delay->tasks, run.first, run.count);
        } else {
            due = run.value * STEP_NS < due ? run.value * STEP_NS : due;
        }
    }
    delay->due_ns = due;
    return true;
}

/* Cuts the run before the first task that is in the set, and whose value has this upper half (0:
 * any). If the run begins with such tasks it returns how many. */
static uint32_t cut_before(const zn_task_set *set, uint64_t upper, zn_task_run *run) {
    uint32_t end = run->first + run->count;
    zn_task_run found;
    for (uint32_t at = run->first; next_between(set, at, end, &found);
         at = found.first + found.count) {
        if (upper != 0 && found.value >> 32 != upper) {
            continue;
        }
        if (found.first == run->first) {
            return found.count;
        }
        run->count = found.first - run->first;
        return 0;
    }
    return 0;
}

bool zn_stage_delay_next(const zn_stage_delay *delay, const zn_task_set *pending,
                         const zn_task_choice *passed_over, uint32_t count_max, zn_task_run *out) {
    for (uint32_t at = 0; zn_task_set_next(pending, at, out);) {
        uint32_t passed = cut_before(&delay->tasks, 0, out);
        if (passed == 0 && passed_over->upper != 0) {
            passed = cut_before(passed_over->set, passed_over->upper, out);
        }
        if (passed == 0) {
            out->count = out->count < count_max ? out->count : count_max;
            return count_max > 0;
        }
        at = out->first + passed;
    }
    return false;
}

void zn_stage_delay_free(zn_stage_delay *delay) {
    zn_task_set_free(&delay->tasks);
}
