/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the slot loop only: measuring the stages that ask for it. */
#ifndef ZN_WORKER_SLOT_PROFILE_H
#define ZN_WORKER_SLOT_PROFILE_H

#include "worker/slot_state.h"

/* zn_stage_exec_run of a stage that compiled, measured if the stage wants that. */
bool zn_slot_profile_run(zn_slot_loop *loop, const zn_slot_stage *stage, uint64_t task,
                         uint32_t attempt, zn_outcome *outcome);

/* Sends what was measured since the last time; NULL-safe. */
void zn_slot_profile_send(zn_slot_profile *self);

/* The chunk is over. NULL-safe. */
void zn_slot_profile_rest(zn_slot_profile *self);

/* NULL-safe, clears the pointer. */
void zn_slot_profile_destroy(zn_slot_profile **self);

#endif
