/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the slot manager only: what its parts offer to each other. */
#ifndef ZN_WORKER_MANAGER_PARTS_H
#define ZN_WORKER_MANAGER_PARTS_H

#include "worker/manager_state.h"

/* ---- job_table.c: jobs and stages ---- */

/* The open job or its stage; made if it is not there. */
zn_held_stage *zn_jobs_stage(zn_slot_manager *m, uint64_t job, uint32_t stage, zn_bytes body);

/* Queues at the end (or at the front) of the stage and makes the stage ready. */
void zn_jobs_queue(zn_slot_manager *m, zn_held_stage *stage, zn_run run, bool front);
void zn_jobs_unready(zn_slot_manager *m, zn_held_stage *stage);
/* It has had its turn: the other ready stages come first. */
void zn_jobs_yield(zn_slot_manager *m, zn_held_stage *stage);

/* Gives up all tasks of the job: queued ones are forgotten, chunks cancelled. */
void zn_jobs_cancel(zn_slot_manager *m, zn_held_job *job);
/* Takes back attempts of a stage, queued or in slots; no outcomes are wanted. */
void zn_jobs_withdraw(zn_slot_manager *m, const zn_msg_withdraw *withdraw);
/* Also tells the slots to forget it. */
void zn_jobs_close(zn_slot_manager *m, zn_held_job *job);
/* DONE from the coordinator: closes, and answers when that is done. */
void zn_jobs_done(zn_slot_manager *m, uint64_t id);
/* Forgets jobs that are closed everywhere. */
void zn_jobs_collect(zn_slot_manager *m);
/* A slot answered DONE, or died (`id` 0: everything). */
void zn_jobs_slot_answered(zn_slot_manager *m, uint32_t slot, uint64_t id);
void zn_jobs_sweep(zn_slot_manager *m, zn_held_stage *stage, uint64_t task, uint64_t attempt);
/* Fills in the jobs of which there may be segments. */
void zn_jobs_name(zn_slot_manager *m, zn_msg_hello *hello);
/* Gives up sweeps that have waited too long for a slot. */
void zn_jobs_expire_sweeps(zn_slot_manager *m);
void zn_jobs_free(zn_slot_manager *m);

/* ---- slot_table.c: slots and chunks ---- */

void zn_slots_ready(zn_slot_manager *m, uint32_t slot);
void zn_slots_dead(zn_slot_manager *m, const zn_worker_event *event);
void zn_slots_message(zn_slot_manager *m, uint32_t slot, const zn_message *message);
void zn_slots_cancel_job(zn_slot_manager *m, const zn_held_job *job);
void zn_slots_withdraw(zn_slot_manager *m, const zn_held_stage *stage, const zn_run *run);
/* What a slot is in just now: ends an attempt that makes no progress. */
void zn_slots_look(zn_slot_manager *m, uint32_t slot, const zn_slot_view *view);
/* Starts, kills and gives up slots for which it is time. */
void zn_slots_tick(zn_slot_manager *m);
/* Cancels everything and tells the slots to end. */
void zn_slots_leave(zn_slot_manager *m);
bool zn_slots_all_ended(const zn_slot_manager *m);

/* ---- dispatch.c: queued tasks to slots ---- */

void zn_dispatch(zn_slot_manager *m);

/* ---- coordinator_link.c: registration and what goes to the coordinator ---- */

void zn_link_register(zn_slot_manager *m, zn_registration_event event, const zonda_error *error);
void zn_link_message(zn_slot_manager *m, const zn_message *message);
void zn_link_unsent(zn_slot_manager *m, const zn_message *message);
void zn_link_tick(zn_slot_manager *m);
/* The coordinator that was found belongs to this cluster. */
void zn_link_found(zn_slot_manager *m, uint64_t cluster);
/* Adds an outcome of (job, stage) to what goes with the next RESULT. */
void zn_link_report(zn_slot_manager *m, const zn_held_stage *stage, const zn_outcome *outcome);
/* Passes on what a slot has measured; without an epoch it is lost. */
void zn_link_profile(zn_slot_manager *m, uint32_t slot, const zn_msg_profile *profile);

/* Adds what slots spent on tasks of the stage. */
void zn_link_spent(zn_slot_manager *m, const zn_held_stage *stage, uint64_t spent_us);
/* Sends it, if there is an epoch to send it in. */
void zn_link_flush(zn_slot_manager *m);
void zn_link_send_result(zn_slot_manager *m, zn_kept_result *result);
void zn_link_commit(zn_slot_manager *m, const zn_slot_entry *slot);
void zn_link_done(zn_slot_manager *m, uint64_t job);
/* Tells the coordinator how much this worker may hold, if that changed enough. */
void zn_link_credit(zn_slot_manager *m);

/* ---- rejoin.c: what outlives an epoch ---- */

/* The epoch is over; what is held goes on. */
void zn_rejoin_lose_epoch(zn_slot_manager *m);
/* Forgets all work: the coordinator is of another cluster. */
void zn_rejoin_drop_everything(zn_slot_manager *m);
/* Tells the coordinator, in a new epoch, what it may not know and what is still held. */
void zn_rejoin_tell(zn_slot_manager *m);

/* ---- drain.c: leaving in order ---- */

/* The owner wants it. */
void zn_drain_begin(zn_slot_manager *m);
/* Asks the coordinator, unless it has answered in this epoch. */
void zn_drain_remind(zn_slot_manager *m);
/* The coordinator said DRAIN. */
void zn_drain_told(zn_slot_manager *m);
/* Hands back all queued tasks of a worker that is drained. */
void zn_drain_hand_back(zn_slot_manager *m);
/* Leaves if there is no coordinator to wait for. */
void zn_drain_tick(zn_slot_manager *m);

#endif
