/* SPDX-License-Identifier: MPL-2.0 */
/* Slots of the simulator: their life and orders (sim_slot.c), what they do with a task
 * (sim_task.c), and the files that tasks write (sim_files.c). */
#ifndef ZN_TESTS_SIM_SLOT_H
#define ZN_TESTS_SIM_SLOT_H

#include "sim.h"

/* ---- sim_slot.c ---- */

static inline sim_slot *sim_slot_at(sim *s, sim_place at) {
    return &s->workers[at.worker].slots[at.slot];
}

void sim_slot_event(sim *s, const sim_event *event);
void sim_slot_start(sim *s, sim_place at);
void sim_slot_give(sim *s, sim_place at, const zn_message *message);
/* A slot dies in the middle of what it does, unless that would be once too often. */
bool sim_slot_crash(sim *s, sim_place at);
/* Dies without leaving a word. */
void sim_slot_kill(sim *s, sim_place at, uint64_t delay_ns);
void sim_slot_reset(sim *s, sim_place at);

/* For sim_task.c. */
void sim_slot_report(sim *s, sim_place at, const zn_message *message);
void sim_slot_wake(sim *s, sim_place at, uint64_t delay_ns);
/* The first order is over; `whole`: each of its tasks has an outcome. */
void sim_slot_end_chunk(sim *s, sim_place at, bool whole);
bool sim_slot_cancelled(const sim_slot *slot);
uint64_t sim_slot_task(const sim_slot *slot);
uint64_t sim_slot_attempt(const sim_slot *slot);
/* Whether it is inside a task. */
bool sim_slot_is_busy(const sim_slot *slot);

/* ---- sim_task.c ---- */

void sim_task_begin(sim *s, sim_place at);
/* The time of what the task does just now is over. */
void sim_task_step(sim *s, sim_place at);
void sim_task_verdict(sim *s, sim_place at, const zn_msg_committed *verdict);

/* The task has read what it needs. */
void sim_task_work(sim *s, sim_place at);
void sim_task_fail(sim *s, sim_place at, zn_failure *failure);

/* ---- sim_read.c ---- */

void sim_read_begin(sim *s, sim_place at);
void sim_read_step(sim *s, sim_place at, const sim_stage *stage);
void sim_read_page(sim *s, sim_place at, const sim_event *event);

typedef enum sim_fetched {
    SIM_FETCHED,
    SIM_FETCH_SILENT, /* its worker does not answer */
    SIM_FETCH_LOST,   /* and will not */
    SIM_FETCH_ROTTEN
} sim_fetched;

/* Reads one result; `cut_ns`: until when the reader is cut off. */
sim_fetched sim_fetch(const sim *s, uint64_t cut_ns, uint64_t job, size_t stage, uint64_t task,
                      const zn_result *result, uint64_t *value);

/* ---- sim_files.c: the disk that all sinks write to ---- */

typedef struct sim_attempt {
    uint64_t job;
    uint32_t driver;
    uint32_t stage;
    uint32_t task;
    uint64_t attempt;
} sim_attempt;

/* Makes the temporary, which is locked by its slot, and removes what earlier attempts left. */
void sim_files_open(sim *s, sim_place at, sim_attempt id);
/* All bytes are there. */
void sim_files_seal(sim *s, sim_place at, uint64_t value);
/* Renames the temporary of the slot to the final name; false: it is gone. */
bool sim_files_publish(sim *s, sim_place at);
/* The task ended without publishing: its temporary is removed. */
void sim_files_discard(sim *s, sim_place at);
/* The slot is dead: its temporary stays, and is locked no more. */
void sim_files_abandon(sim *s, sim_place at);
/* Removes what a dead attempt left. */
void sim_files_sweep(sim *s, const sim_attempt *id);
/* The coordinator allows an attempt to publish. */
void sim_files_grant(sim *s, const zn_msg_committed *verdict);
/* Every task of the sinks of a complete job has published what it was to, and nothing else is
 * left. */
void sim_files_check_job(sim *s, const sim_driver *driver);
/* Nothing is left that somebody still there should have removed. */
void sim_files_check_left(sim *s);

/* ---- sim_store.c: segments of workers ---- */

void sim_store_put(sim_worker *worker, sim_segment segment);
/* NULL: it is not there. */
const sim_segment *sim_store_find(const sim_worker *worker, uint64_t job, size_t stage,
                                  uint64_t task, uint64_t place);
/* Something of it cannot be read any more, or is gone. */
void sim_store_spoil(sim *s, sim_worker *worker);
void sim_store_remove(sim_worker *worker, uint64_t job);
void sim_store_remove_all(sim_worker *worker);

#endif
