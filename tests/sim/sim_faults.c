/* SPDX-License-Identifier: MPL-2.0 */
/* What breaks in the simulator: processes die or stop, ways are cut in one direction or both, a
 * clock jumps ahead, a disk is full. Every fault but a death is over after some seconds, and all
 * are when the time of faults ends. */
#include "sim_slot.h"

enum {
    FAULT_S_MAX = 6,
    JUMP_S_MAX = 40,
    DRIVER_JUMP_S_MAX = 4 /* more would rightly make it give up a call */
};

typedef void fault(sim *s, uint32_t worker, uint64_t until_ns);

static void kill_worker(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    sim_worker_kill(s, worker);
}

/* With every worker on its way out the jobs would rightly wait for ever for another one. */
static bool may_leave(const sim *s, uint32_t worker) {
    uint32_t staying = 0;
    for (uint32_t i = 0; i < s->worker_count; i++) {
        staying += i != worker && !s->workers[i].leaving ? 1 : 0;
    }
    return staying > 0;
}

static void tell_to_leave(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    if (may_leave(s, worker)) {
        sim_worker_leave(s, worker, s->workers[worker].leaving || sim_chance(s, 200));
    }
}

static void drain_worker(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    if (may_leave(s, worker)) {
        s->workers[worker].leaving = true;
        sim_add(s, SIM_COORDINATOR_DRAIN, 0)->node = worker;
    }
}

/* A freeze that lasts is not shortened: what waits for its end stays in order. */
static void freeze(sim_worker *worker, bool host, uint64_t until_ns) {
    worker->frozen_ns = until_ns > worker->frozen_ns ? until_ns : worker->frozen_ns;
    worker->host_frozen = host;
}

/* Only the process: what its slots do goes on. */
static void freeze_worker(sim *s, uint32_t worker, uint64_t until_ns) {
    freeze(&s->workers[worker], false, until_ns);
}

static void freeze_host(sim *s, uint32_t worker, uint64_t until_ns) {
    freeze(&s->workers[worker], true, until_ns);
}

static void cut_up(sim *s, uint32_t worker, uint64_t until_ns) {
    s->cut_up_ns[worker] = until_ns;
}

static void cut_down(sim *s, uint32_t worker, uint64_t until_ns) {
    s->cut_down_ns[worker] = until_ns;
}

static void cut_off(sim *s, uint32_t worker, uint64_t until_ns) {
    cut_up(s, worker, until_ns);
    cut_down(s, worker, until_ns);
}

/* Other workers do not reach it, the coordinator does. */
static void cut_data(sim *s, uint32_t worker, uint64_t until_ns) {
    s->workers[worker].cut_data_ns = until_ns;
}

static void spoil_segment(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    sim_store_spoil(s, &s->workers[worker]);
}

/* Several workers on the other side. */
static void part(sim *s, uint32_t worker, uint64_t until_ns) {
    for (uint32_t i = worker; i < s->worker_count; i++) {
        cut_off(s, i, until_ns);
    }
}

static void cut_off_driver(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)worker;
    s->drivers[sim_roll(s, s->driver_count)].cut_ns = until_ns;
}

static void kill_driver(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)worker;
    (void)until_ns;
    if (sim_chance(s, 300)) {
        sim_driver_kill(s, (uint32_t)sim_roll(s, s->driver_count));
    }
}

static void kill_coordinator(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)worker;
    (void)until_ns;
    sim_coordinator_kill(s);
}

static void crash_slot(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    if (s->workers[worker].alive) {
        uint32_t slot = (uint32_t)sim_roll(s, s->workers[worker].slot_count);
        sim_slot_crash(s, (sim_place){ worker, slot });
    }
}

static void fill_disk(sim *s, uint32_t worker, uint64_t until_ns) {
    s->workers[worker].full_ns = until_ns;
    s->disk_was_full = true;
}

static void fill_journal_disk(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)worker;
    s->journal.full_ns = until_ns;
}

static void jump_ahead(sim *s, uint32_t worker, uint64_t until_ns) {
    (void)until_ns;
    uint64_t jump_ns = sim_roll(s, JUMP_S_MAX * ZN_NS_PER_S);
    switch (sim_roll(s, 3)) {
    case 0:
        s->ahead_ns += jump_ns;
        break;
    case 1:
        s->workers[worker].ahead_ns += jump_ns;
        break;
    default:
        s->drivers[sim_roll(s, s->driver_count)].ahead_ns +=
            sim_roll(s, DRIVER_JUMP_S_MAX * ZN_NS_PER_S);
        break;
    }
}

void sim_fault(sim *s) {
    static fault *const faults[] = { kill_worker,  freeze_worker,    freeze_host,
                                     cut_up,       cut_down,         cut_off,
                                     part,         cut_off_driver,   kill_driver,
                                     crash_slot,   fill_disk,        jump_ahead,
                                     cut_data,     spoil_segment,    tell_to_leave,
                                     drain_worker, kill_coordinator, fill_journal_disk };
    uint64_t end_ns = s->settings.faults_end_ns;
    if (s->now_ns >= end_ns) {
        return;
    }
    uint64_t until_ns = s->now_ns + sim_roll(s, FAULT_S_MAX * ZN_NS_PER_S);
    size_t which = (size_t)sim_roll(s, sizeof faults / sizeof faults[0]);
    faults[which](s, (uint32_t)sim_roll(s, s->worker_count), until_ns < end_ns ? until_ns : end_ns);
    sim_add(s, SIM_FAULT, sim_roll(s, 3 * ZN_NS_PER_S));
}
