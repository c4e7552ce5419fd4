/* SPDX-License-Identifier: MPL-2.0 */
/* Runs the simulator. Each seed is a cluster with up to five workers and three jobs, through half a
 * minute of faults: lost, late and repeated messages, cuts in one direction or both, frozen and
 * killed processes, full disks, clocks that jump. After every step the invariants of all cores are
 * checked; in the end every job must be complete, with exactly its results and outputs, and nobody
 * may hold anything. A seed that fails is printed with what went wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sim_seeds.h"
#include "sim_slot.h"

enum {
    FAULT_S_MAX = 30,
    PATIENCE_S = 200, /* after the last fault: everything that waits for a timeout is over */
    REST_S = 12       /* after the last job: what was still hindered comes back */
};

/* ---- one seed ---- */

static void handle(sim *s, const sim_event *event) {
    switch (event->kind) {
    case SIM_COORDINATOR_CALL:
    case SIM_COORDINATOR_WORK:
    case SIM_COORDINATOR_BULK:
    case SIM_COORDINATOR_CLOSED:
    case SIM_COORDINATOR_DRIVER:
    case SIM_COORDINATOR_DRAIN:
    case SIM_COORDINATOR_START:
    case SIM_COORDINATOR_TICK:
    case SIM_COORDINATOR_DISK:
        sim_coordinator_event(s, event);
        break;
    case SIM_WORKER_REPLY:
    case SIM_WORKER_WORK:
    case SIM_WORKER_TICK:
    case SIM_WORKER_START:
    case SIM_WORKER_ENDED:
    case SIM_SLOT_REPORT:
    case SIM_SLOT_READY:
    case SIM_SLOT_DEAD:
        sim_worker_event(s, event);
        break;
    case SIM_SLOT_MESSAGE:
    case SIM_SLOT_PAGE:
    case SIM_SLOT_STEP:
        sim_slot_event(s, event);
        break;
    case SIM_DRIVER_REPLY:
    case SIM_DRIVER_TIMER:
    case SIM_DRIVER_START:
        sim_driver_event(s, event);
        break;
    case SIM_FAULT:
        sim_fault(s);
        break;
    case SIM_KINDS:
        break;
    }
}

static bool all_ended(const sim *s) {
    for (uint32_t i = 0; i < s->driver_count; i++) {
        if (!s->drivers[i].ended) {
            return false;
        }
    }
    return true;
}

/* Whether nobody holds anything of a job any more. */
static bool is_quiet(const sim *s) {
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const sim_worker *worker = &s->workers[i];
        if (!worker->alive || worker->segment_count > 0 ||
            zn_slot_manager_held(worker->manager) > 0) {
            return false;
        }
    }
    return s->scheduler != NULL && TAILQ_EMPTY(&s->scheduler->jobs);
}

static void begin(sim *s, uint64_t seed, bool trace) {
    *s = (sim){ .seed = seed, .random = seed, .now_ns = ZN_NS_PER_S, .decoder = zn_decoder_new() };
    bool quiet = sim_chance(s, 100);
    uint64_t faults_ns = quiet ? 0 : sim_roll(s, FAULT_S_MAX * ZN_NS_PER_S);
    s->settings = (sim_settings){ .loss_per_mille = (uint32_t)sim_roll(s, 60),
                                  .repeat_per_mille = (uint32_t)sim_roll(s, 60),
                                  .late_per_mille = (uint32_t)sim_roll(s, 60),
                                  .faults_end_ns = s->now_ns + faults_ns,
                                  .trace = trace };
    s->worker_count = 1 + (uint32_t)sim_roll(s, SIM_WORKERS_MAX);
    s->driver_count = 1 + (uint32_t)sim_roll(s, SIM_DRIVERS_MAX);
    sim_coordinator_start(s);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        sim_worker_start(s, i);
    }
    for (uint32_t i = 0; i < s->driver_count; i++) {
        sim_driver_start(s, i);
    }
    sim_add(s, SIM_FAULT, sim_roll(s, 3 * ZN_NS_PER_S));
}

static void finish(sim *s) {
    s->remade_tasks += s->scheduler == NULL ? 0 : s->scheduler->stats.remade_tasks;
    for (uint32_t i = 0; i < s->worker_count; i++) {
        sim_worker_free(s, i);
    }
    for (uint32_t i = 0; i < s->driver_count; i++) {
        sim_driver_free(&s->drivers[i]);
    }
    sim_coordinator_stop(s);
    for (size_t i = 0; i < s->queue_count; i++) {
        zn_buf_free(&s->queue[i].bytes);
    }
    free(s->queue);
    free(s->temporaries);
    zn_decoder_destroy(&s->decoder);
}

static void report_stall(sim *s) {
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const sim_worker *worker = &s->workers[i];
        if (all_ended(s) && worker->alive &&
            (worker->segment_count > 0 || zn_slot_manager_held(worker->manager) > 0)) {
            sim_fail(s, "all jobs ended, but worker %u holds %zu segments and %llu tasks", i,
                     worker->segment_count,
                     (unsigned long long)zn_slot_manager_held(worker->manager));
        }
    }
    const zn_live_job *job = s->scheduler == NULL ? NULL : TAILQ_FIRST(&s->scheduler->jobs);
    sim_fail(s, "%s, the coordinator has job %llu in state %d",
             all_ended(s) ? "all jobs ended" : "a job makes no progress",
             job == NULL ? 0 : (unsigned long long)job->id, job == NULL ? -1 : (int)job->state);
}

/* Handles the next event; false if there is none before `end_ns`. */
static bool take_step(sim *s, uint64_t end_ns) {
    sim_event event;
    if (!sim_next(s, &event)) {
        return false;
    }
    s->steps++;
    handle(s, &event);
    zn_buf_free(&event.bytes);
    sim_check(s, &event);
    return s->now_ns <= end_ns;
}

static void run_jobs(sim *s) {
    uint64_t end_ns = s->settings.faults_end_ns + PATIENCE_S * ZN_NS_PER_S;
    while (s->problem[0] == '\0' && !(all_ended(s) && is_quiet(s))) {
        if (!take_step(s, end_ns)) {
            report_stall(s);
        }
    }
}

/* The jobs are over, and so are the faults; whoever is still hindered gets over it. */
static void run_rest(sim *s) {
    uint64_t end_ns = s->now_ns + REST_S * ZN_NS_PER_S;
    if (s->settings.faults_end_ns > s->now_ns) {
        s->settings.faults_end_ns = s->now_ns;
    }
    while (s->problem[0] == '\0' && take_step(s, end_ns)) {
    }
    sim_check_end(s);
}

static bool run_seed(sim *s, uint64_t seed, bool trace) {
    begin(s, seed, trace);
    run_jobs(s);
    run_rest(s);
    finish(s);
    if (s->problem[0] != '\0') {
        printf("seed %" PRIu64 " at %.6f s: %s\n", seed, (double)s->now_ns / (double)ZN_NS_PER_S,
               s->problem);
        fflush(stdout);
    }
    return s->problem[0] == '\0';
}

/* ---- many seeds ---- */

typedef struct tally {
    uint64_t seeds;
    uint64_t failed;
    uint64_t completed;
    uint64_t ended;
    uint64_t steps;
    uint64_t remade;
    uint64_t started_ns;
} tally;

static void count_seed(tally *t, sim *s, uint64_t seed, bool trace) {
    t->seeds++;
    t->failed += run_seed(s, seed, trace) ? 0 : 1;
    t->completed += s->completed_jobs;
    t->ended += s->failed_jobs;
    t->steps += s->steps;
    t->remade += s->remade_tasks;
}

static double seconds_of(const tally *t) {
    return (double)(zn_clock_ns() - t->started_ns) / (double)ZN_NS_PER_S;
}

static void print_tally(const tally *t, uint64_t first) {
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed; %" PRIu64
           " jobs complete, %" PRIu64 " cancelled; %" PRIu64 " results made again; %" PRIu64
           " steps; %.0f seeds a minute\n",
           t->seeds, first, t->failed, t->completed, t->ended, t->remade, t->steps,
           (double)t->seeds * 60 / seconds_of(t));
    fflush(stdout);
}

typedef struct options {
    uint64_t first;
    uint64_t seeds;
    uint64_t minutes; /* instead of a number of seeds; 0: that number */
    bool trace;
    bool named;
} options;

static void run_for(sim *s, tally *t, const options *o) {
    uint64_t printed = 0;
    for (uint64_t seed = o->first; seconds_of(t) < (double)o->minutes * 60; seed++) {
        count_seed(t, s, seed, o->trace);
        if ((uint64_t)(seconds_of(t) / 60) > printed) {
            print_tally(t, o->first);
            printed++;
        }
    }
}

static void run_all(sim *s, tally *t, const options *o) {
    for (size_t i = 0; o->named && i < sizeof sim_seeds / sizeof sim_seeds[0]; i++) {
        uint64_t failed = t->failed;
        count_seed(t, s, sim_seeds[i].seed, o->trace);
        if (t->failed > failed) {
            printf("this was: %s\n", sim_seeds[i].name);
        }
    }
    if (o->minutes > 0) {
        run_for(s, t, o);
        return;
    }
    for (uint64_t i = 0; i < o->seeds; i++) {
        count_seed(t, s, o->first + i, o->trace);
    }
}

/* ---- options ---- */

static bool take_number(char **argv, int argc, int *at, const char *name, uint64_t *out) {
    if (strcmp(argv[*at], name) != 0 || *at + 1 >= argc) {
        return false;
    }
    *out = strtoull(argv[++*at], NULL, 10);
    return true;
}

static bool take_flag(char **argv, int at, const char *name, bool *out) {
    bool is = strcmp(argv[at], name) == 0;
    *out = *out || is;
    return is;
}

static bool take_options(int argc, char **argv, options *o) {
    bool endless = false;
    for (int i = 1; i < argc; i++) {
        if (!take_number(argv, argc, &i, "--first", &o->first) &&
            !take_number(argv, argc, &i, "--seeds", &o->seeds) &&
            !take_number(argv, argc, &i, "--minutes", &o->minutes) &&
            !take_flag(argv, i, "--trace", &o->trace) &&
            !take_flag(argv, i, "--named", &o->named) &&
            !take_flag(argv, i, "--endless", &endless)) {
            return false;
        }
    }
    o->minutes = endless ? UINT32_MAX : o->minutes;
    return true;
}

int main(int argc, char **argv) {
    options o = { .first = 1, .seeds = 200 };
    if (!take_options(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--first SEED] [--seeds N | --minutes N | --endless] "
                        "[--named] [--trace]\n");
        return 2;
    }
    sim *s = ZN_NEW(sim);
    tally t = { .started_ns = zn_clock_ns() };
    run_all(s, &t, &o);
    print_tally(&t, o.first);
    free(s);
    return t.failed == 0 ? 0 : 1;
}
