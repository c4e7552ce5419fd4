/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_TASK_STATE_H
#define ZN_OPS_TASK_STATE_H

#include "ops/task.h"

/* Life of the zonda_task that a stage keeps for all its tasks; for stage_exec.c. */

/* Prepares it for an attempt: counts are zero, user counters are gone. */
void zn_task_begin(zonda_task *task, zn_attempt_id attempt);
void zn_task_free(zonda_task *task);

/* Fills `out` (room for ZN_TASK_COUNTERS_MAX) with the user counters, names borrowed. Returns how
 * many there are. */
size_t zn_task_counters(const zonda_task *task, zn_counter *out);

#endif
