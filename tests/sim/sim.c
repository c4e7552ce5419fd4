/* SPDX-License-Identifier: MPL-2.0 */
/* Runs the simulator: `sim [--first SEED] [--seeds N] [--trace]`. Each seed is a cluster with up to
 * five workers and three jobs, through half a minute of lost, late and repeated messages, cuts in
 * one direction or both, frozen and killed workers and slots. After every step the invariants of
 * all cores are checked; in the end every job must be complete, with exactly its results, and
 * nobody may hold anything. A seed that fails is printed with what went wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sim.h"

enum {
    FAULT_S_MAX = 30,
    PATIENCE_S = 200 /* after the last fault: everything that waits for a timeout is over */
};

/* ---- faults ---- */

static void plan_fault(sim *s) {
    sim_add(s, SIM_FAULT, sim_roll(s, 3 * ZN_NS_PER_S));
}

static void inflict(sim *s) {
    if (s->now_ns >= s->settings.faults_end_ns) {
        return;
    }
    uint32_t index = (uint32_t)sim_roll(s, s->worker_count);
    sim_worker *worker = &s->workers[index];
    uint64_t until = s->now_ns + sim_roll(s, 6 * ZN_NS_PER_S);
    until = until < s->settings.faults_end_ns ? until : s->settings.faults_end_ns;
    switch (sim_roll(s, 7)) {
    case 0:
        sim_worker_kill(s, index);
        break;
    case 1:
        worker->frozen_ns = until;
        break;
    case 2:
        s->cut_up_ns[index] = until;
        break;
    case 3:
        s->cut_down_ns[index] = until;
        break;
    case 4:
        s->cut_up_ns[index] = until;
        s->cut_down_ns[index] = until;
        break;
    case 5:
        if (sim_chance(s, 100)) {
            sim_driver_kill(s, (uint32_t)sim_roll(s, s->driver_count));
        }
        break;
    default:
        if (worker->alive) {
            sim_slot_crash(s, index, (uint32_t)sim_roll(s, worker->slot_count));
        }
        break;
    }
    plan_fault(s);
}

/* ---- one seed ---- */

static void handle(sim *s, const sim_event *event) {
    switch (event->kind) {
    case SIM_COORDINATOR_CALL:
    case SIM_COORDINATOR_WORK:
    case SIM_COORDINATOR_CLOSED:
    case SIM_COORDINATOR_DRIVER:
    case SIM_COORDINATOR_TICK:
        sim_coordinator_event(s, event);
        break;
    case SIM_WORKER_REPLY:
    case SIM_WORKER_WORK:
    case SIM_WORKER_TICK:
    case SIM_WORKER_START:
    case SIM_SLOT_REPORT:
    case SIM_SLOT_READY:
    case SIM_SLOT_DEAD:
        sim_worker_event(s, event);
        break;
    case SIM_SLOT_MESSAGE:
    case SIM_SLOT_STEP:
        sim_slot_event(s, event);
        break;
    case SIM_DRIVER_REPLY:
    case SIM_DRIVER_TIMER:
        sim_driver_event(s, event);
        break;
    case SIM_FAULT:
        inflict(s);
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
    return TAILQ_EMPTY(&s->scheduler->jobs);
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
    plan_fault(s);
}

static void finish(sim *s) {
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
    zn_decoder_destroy(&s->decoder);
}

static void report_stall(sim *s) {
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const sim_worker *worker = &s->workers[i];
        if (all_ended(s) &&
            (worker->segment_count > 0 || zn_slot_manager_held(worker->manager) > 0)) {
            sim_fail(s, "all jobs ended, but worker %u holds %zu segments and %llu tasks", i,
                     worker->segment_count,
                     (unsigned long long)zn_slot_manager_held(worker->manager));
        }
    }
    const zn_live_job *job = TAILQ_FIRST(&s->scheduler->jobs);
    sim_fail(s, "%s, the coordinator has job %llu in state %d",
             all_ended(s) ? "all jobs ended" : "a job makes no progress",
             job == NULL ? 0 : (unsigned long long)job->id, job == NULL ? -1 : (int)job->state);
}

static bool run_seed(sim *s, uint64_t seed, bool trace) {
    begin(s, seed, trace);
    uint64_t end_ns = s->settings.faults_end_ns + PATIENCE_S * ZN_NS_PER_S;
    sim_event event;
    while (s->problem[0] == '\0' && !(all_ended(s) && is_quiet(s))) {
        if (!sim_next(s, &event) || s->now_ns > end_ns) {
            report_stall(s);
            break;
        }
        s->steps++;
        handle(s, &event);
        zn_buf_free(&event.bytes);
    }
    finish(s);
    if (s->problem[0] != '\0') {
        printf("seed %" PRIu64 " at %.6f s: %s\n", seed, (double)s->now_ns / (double)ZN_NS_PER_S,
               s->problem);
    }
    return s->problem[0] == '\0';
}

/* ---- options ---- */

static bool take_number(char **argv, int argc, int *at, const char *name, uint64_t *out) {
    if (strcmp(argv[*at], name) != 0 || *at + 1 >= argc) {
        return false;
    }
    *out = strtoull(argv[++*at], NULL, 10);
    return true;
}

int main(int argc, char **argv) {
    uint64_t first = 1;
    uint64_t count = 200;
    bool trace = false;
    for (int i = 1; i < argc; i++) {
        bool known = take_number(argv, argc, &i, "--first", &first) ||
                     take_number(argv, argc, &i, "--seeds", &count);
        trace = trace || strcmp(argv[i], "--trace") == 0;
        if (!known && !trace) {
            fprintf(stderr, "usage: sim [--first SEED] [--seeds N] [--trace]\n");
            return 2;
        }
    }
    sim *s = ZN_NEW(sim);
    uint64_t failed = 0;
    uint64_t completed = 0;
    uint64_t ended = 0;
    uint64_t steps = 0;
    uint64_t started_ns = zn_clock_ns();
    for (uint64_t seed = first; seed < first + count; seed++) {
        failed += run_seed(s, seed, trace) ? 0 : 1;
        completed += s->completed_jobs;
        ended += s->failed_jobs;
        steps += s->steps;
    }
    double seconds = (double)(zn_clock_ns() - started_ns) / (double)ZN_NS_PER_S;
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed; %" PRIu64
           " jobs complete, %" PRIu64 " cancelled; %" PRIu64 " steps; %.0f seeds a minute\n",
           count, first, failed, completed, ended, steps, (double)count * 60 / seconds);
    free(s);
    return failed == 0 ? 0 : 1;
}
