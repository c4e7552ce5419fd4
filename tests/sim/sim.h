/* SPDX-License-Identifier: MPL-2.0 */
/* A whole cluster in one thread: the real cores of coordinator, workers and drivers under clocks, a
 * network, disks and slots that are simulated. A seed decides everything that happens, so a run can
 * be repeated. Time stands still while somebody works and jumps to the next event in the queue. */
#ifndef ZN_TESTS_SIM_H
#define ZN_TESTS_SIM_H

#include "base/clock.h"
#include "coordinator/control.h"
#include "coordinator/invariants.h"
#include "sim_nodes.h"
#include "wire/channel.h"

typedef struct sim_settings {
    uint32_t loss_per_mille;
    uint32_t repeat_per_mille;
    uint32_t late_per_mille;
    uint64_t faults_end_ns; /* then the network is good and nobody dies */
    bool trace;
} sim_settings;

typedef struct sim {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ns;
    sim_settings settings;
    sim_event *queue; /* heap */
    size_t queue_count;
    size_t queue_capacity;
    uint64_t order;
    uint64_t steps;
    zn_scheduler *scheduler;
    zn_control *control;
    sim_journal journal;
    uint64_t down_ns;   /* until then the coordinator does not run */
    uint64_t tick_mark; /* of the coordinator's tick that counts */
    uint64_t ahead_ns;  /* the coordinator's clock is ahead of the simulated time */
    uint32_t worker_count;
    sim_worker workers[SIM_WORKERS_MAX];
    uint32_t driver_count;
    sim_driver drivers[SIM_DRIVERS_MAX];
    /* One-way cuts between a worker and the coordinator, until a time. */
    uint64_t cut_up_ns[SIM_WORKERS_MAX];
    uint64_t cut_down_ns[SIM_WORKERS_MAX];
    uint64_t link_ns[SIM_KINDS][SIM_NODES_MAX]; /* when the last message of a way arrives */
    sim_temporary *temporaries;
    size_t temporary_count;
    size_t temporary_capacity;
    bool disk_was_full; /* somewhere, ever */
    zn_decoder *decoder;
    uint64_t completed_jobs;
    uint64_t failed_jobs;
    uint64_t remade_tasks; /* whose results were lost */
    char problem[512];     /* what went wrong; empty: nothing */
} sim;

/* ---- sim_core.c: time, chance, network ---- */

uint64_t sim_roll(sim *s, uint64_t sides);
bool sim_chance(sim *s, uint32_t per_mille);
/* Adds an event `delay_ns` from now and returns it to be filled in. */
sim_event *sim_add(sim *s, sim_kind kind, uint64_t delay_ns);
bool sim_next(sim *s, sim_event *out);
/* The same for a message that crosses the network: it may be lost, late, or come twice. `cut_ns` is
 * until when the way is cut. */
void sim_send(sim *s, sim_event event, const zn_message *message, uint64_t cut_ns);
/* Puts off an event until a time; the copy has its own bytes. */
void sim_postpone(sim *s, const sim_event *event, uint64_t until_ns);
/* Valid until the next call. Never fails: what is sent is ours. */
const zn_message *sim_decode(sim *s, const zn_buf *bytes);
void sim_fail(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(const sim *s, const char *what, const zn_message *message, uint32_t node);

/* ---- the nodes ---- */

void sim_coordinator_start(sim *s);
void sim_coordinator_event(sim *s, const sim_event *event);
void sim_coordinator_stop(sim *s);
/* kill -9; with its state directory it is started again. Nothing without one. */
void sim_coordinator_kill(sim *s);

/* ---- sim_journal.c ---- */

/* A letter or reply that was decided. */
void sim_journal_put(sim *s, const sim_event *to, const zn_message *message, uint64_t epoch);
/* The coordinator's turn is over: its notes go to the disk. */
void sim_journal_turn(sim *s);
/* Whether something is not durable yet. */
bool sim_journal_waits(const sim *s);
/* The next letter that may leave; the caller frees its bytes. */
bool sim_journal_next(sim *s, sim_letter *out);
/* A commit has ended. */
void sim_journal_committed(sim *s);
/* The coordinator is dead. */
void sim_journal_crash(sim *s);
void sim_journal_free(sim_journal *journal);

void sim_worker_start(sim *s, uint32_t index);
void sim_worker_event(sim *s, const sim_event *event);
/* Ends the process; another one is started later. */
void sim_worker_kill(sim *s, uint32_t index);
/* SIGTERM; `now`: for the second time. */
void sim_worker_leave(sim *s, uint32_t index, bool now);
void sim_worker_free(sim *s, uint32_t index);
/* Gives the core an event and carries out what it wants. */
void sim_worker_step(sim *s, uint32_t index, zn_worker_event event);

void sim_driver_start(sim *s, uint32_t index);
void sim_driver_event(sim *s, const sim_event *event);
/* The subscription of the driver begins or ends. */
void sim_driver_show(sim *s, uint32_t index, bool present);
/* Ends the process; perhaps another one goes on with its job later. */
void sim_driver_kill(sim *s, uint32_t index);
void sim_driver_free(sim_driver *driver);
/* The stage that a body is of, and its driver; NULL if there is none. */
const sim_stage *sim_find_stage(sim *s, const zn_digest *body, sim_driver **driver, size_t *number);
/* What a task gives that read its inputs right. */
uint64_t sim_task_value(const sim_stage *stage, uint64_t task);
/* What it gives after it read what this is the fold of. */
uint64_t sim_task_make(const sim_stage *stage, uint64_t task, uint64_t fold);
/* Adds what a task of an earlier stage gave. */
uint64_t sim_fold(uint64_t fold, size_t stage, uint64_t task, uint64_t value);

/* ---- faults and checks ---- */

/* Something breaks now, and something else later. */
void sim_fault(sim *s);
/* Everything that must hold after an event, of whoever it was for. */
void sim_check(sim *s, const sim_event *event);
/* Everything that must hold when all jobs have ended and nobody is hindered any more. */
void sim_check_end(sim *s);

#endif
