/* SPDX-License-Identifier: MPL-2.0 */
/* What must hold in the simulator between any two events, beside the invariants that the cores
 * check themselves: nothing grows without bound. And what must hold in the end. */
#include <string.h>

#include "base/limits.h"
#include "sim_slot.h"

enum {
    EVENTS_MAX = 100000,
    ORDERS_MAX = 16,                /* of a slot: chunks and DONEs that wait */
    JOBS_MAX = 4 * SIM_DRIVERS_MAX, /* of drivers that were killed and came back too late, too */
    MEMBERS_MAX = 3 * SIM_WORKERS_MAX + 40
};

static void check_worker(sim *s, uint32_t index) {
    const sim_worker *worker = &s->workers[index];
    if (!worker->alive) {
        return;
    }
    if (zn_slot_manager_held(worker->manager) > ZN_CREDIT_TASKS_MAX) {
        sim_fail(s, "worker %u holds more tasks than anybody may", index);
    }
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        if (worker->slots[i].order_count > ORDERS_MAX) {
            sim_fail(s, "slot %u of worker %u has %zu orders", i, index,
                     worker->slots[i].order_count);
        }
    }
}

static void check_members(sim *s) {
    uint64_t count = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &s->scheduler->members, link) {
        count++;
        if (member->touched_count > JOBS_MAX) {
            sim_fail(s, "worker %llu is said to have %zu jobs", (unsigned long long)member->id,
                     member->touched_count);
        }
    }
    if (count > MEMBERS_MAX) {
        sim_fail(s, "the coordinator knows %llu workers", (unsigned long long)count);
    }
}

static void check_coordinator(sim *s) {
    check_members(s);
    if (s->scheduler->outbox.count > 0) {
        sim_fail(s, "letters of the coordinator were not sent");
    }
    if (s->scheduler->notes.bytes.len > 0) {
        sim_fail(s, "notes of the coordinator were not taken");
    }
}

void sim_check(sim *s, const sim_event *event) {
    if (event->kind >= SIM_WORKER_REPLY && event->kind < SIM_DRIVER_REPLY) {
        check_worker(s, event->node);
    }
    if (s->scheduler != NULL) {
        check_coordinator(s);
    }
    if (s->queue_count > EVENTS_MAX) {
        sim_fail(s, "%zu events wait", s->queue_count);
    }
}

static void check_idle(sim *s, uint32_t index) {
    const sim_worker *worker = &s->workers[index];
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        if (sim_slot_is_busy(&worker->slots[i])) {
            sim_fail(s, "all jobs ended, but slot %u of worker %u runs a task", i, index);
        }
    }
    if (worker->segment_count > 0) {
        sim_fail(s, "all jobs ended, but worker %u has %zu segments", index, worker->segment_count);
    }
}

void sim_check_end(sim *s) {
    if (s->scheduler == NULL) {
        sim_fail(s, "all jobs ended, but there is no coordinator");
        return;
    }
    uint32_t joined = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &s->scheduler->members, link) {
        joined += member->state == ZN_MEMBER_JOINED ? 1 : 0;
        if (member->held > 0 || member->touched_count > 0) {
            sim_fail(s, "all jobs ended, but worker %llu is said to have something",
                     (unsigned long long)member->id);
        }
    }
    if (joined != s->worker_count || zn_scheduler_worker_count(s->scheduler) != joined) {
        sim_fail(s, "%u workers are there, %u are joined, %llu known", s->worker_count, joined,
                 (unsigned long long)zn_scheduler_worker_count(s->scheduler));
    }
    for (uint32_t i = 0; i < s->worker_count; i++) {
        check_idle(s, i);
    }
    sim_files_check_left(s);
}
