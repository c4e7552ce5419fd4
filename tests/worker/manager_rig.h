/* SPDX-License-Identifier: MPL-2.0 */
/* The slot manager on a bench: a clock, its outbox, and a model of what each slot was given. Every
 * step checks the invariants. The outbox holds what the last step wanted. */
#ifndef ZN_TESTS_MANAGER_RIG_H
#define ZN_TESTS_MANAGER_RIG_H

#include "test.h"

#include "worker/slot_manager.h"

enum {
    RIG_SLOTS_MAX = 8,
    RIG_CHUNKS_MAX = 8,
    RIG_RUNS_MAX = 64
};

typedef struct model_chunk {
    uint64_t epoch; /* 0: a sweep */
    uint64_t sequence;
    uint64_t job;
    uint64_t stage;
    uint64_t first;
    uint64_t attempt;
    uint32_t tasks;
    zn_run runs[RIG_RUNS_MAX];
    size_t run_count;
    bool cancelled;
} model_chunk;

typedef struct model_slot {
    model_chunk chunks[RIG_CHUNKS_MAX];
    size_t count;
    bool starting;
    bool ready;
    bool killed;
    bool told_end;
    uint64_t done_jobs[64]; /* told, not answered; first in, first out */
    size_t done_count;
} model_slot;

typedef struct manager_rig {
    zn_slot_manager *manager;
    zn_outbox outbox;
    uint64_t now_ns;
    uint32_t slots;
    uint64_t cluster;
    uint64_t epoch;
    uint64_t received; /* TASK sequence of the epoch */
    model_slot model[RIG_SLOTS_MAX];
} manager_rig;

void rig_open(manager_rig *rig, uint32_t slots, bool killable);
/* Opened, registered in `epoch`, all slots ready. */
void rig_register(manager_rig *rig, uint32_t slots, uint64_t epoch);
void rig_close(manager_rig *rig);

void rig_step(manager_rig *rig, zn_worker_event event);
void rig_tick(manager_rig *rig, uint64_t ms);
void rig_flush(manager_rig *rig);
void rig_message(manager_rig *rig, const zn_message *message);
void rig_welcome(manager_rig *rig, uint64_t epoch);
void rig_give(manager_rig *rig, uint64_t sequence, uint64_t job, uint64_t first, uint64_t count,
              uint32_t attempt);
void rig_heartbeat(manager_rig *rig, uint64_t sent);
void rig_acknowledge(manager_rig *rig, uint64_t received);
void rig_withdraw(manager_rig *rig, uint64_t job, uint64_t first, uint64_t count, uint32_t attempt);
void rig_done(manager_rig *rig, uint64_t job);

void rig_ready(manager_rig *rig, uint32_t slot);
/* The slot reports plain outcomes of all tasks of its oldest chunk. */
void rig_report_all(manager_rig *rig, uint32_t slot);
/* The slot ends its oldest chunk without outcomes. */
void rig_end_chunk(manager_rig *rig, uint32_t slot);
void rig_die(manager_rig *rig, uint32_t slot, uint64_t sequence, uint32_t position);
void rig_commit(manager_rig *rig, uint32_t slot, uint64_t job, uint64_t task, uint64_t attempt);
void rig_slot_done(manager_rig *rig, uint32_t slot, uint64_t job);
void rig_slot_end(manager_rig *rig, uint32_t slot);
/* Runs short tasks of the job until chunks are large; tasks from 10000 on. */
void rig_teach_short_tasks(manager_rig *rig, uint64_t job);

/* What the last step wanted: NULL or 0 if nothing of the kind. */
const zn_action *rig_action(const manager_rig *rig, zn_action_kind kind);
/* The message of this kind that was sent to work as number `index`. */
const zn_message *rig_work_at(const manager_rig *rig, zn_message_number number, size_t index);
unsigned rig_count(const manager_rig *rig, zn_action_kind kind);
const zn_message *rig_work(const manager_rig *rig, zn_message_number number);
const zn_message *rig_slot(const manager_rig *rig, uint32_t slot, zn_message_number number);
uint64_t rig_credit(const manager_rig *rig, uint64_t otherwise);

#endif
