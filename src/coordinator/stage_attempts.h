/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_STAGE_ATTEMPTS_H
#define ZN_COORDINATOR_STAGE_ATTEMPTS_H

#include "coordinator/live_stage.h"

/* Counts an attempt as a retry, if it is one; or does so no more, because it was taken back before
 * anything came of it. `run` has the attempt as its value. */
void zn_live_stage_count_try(zn_live_stage *stage, zn_task_run run);
void zn_live_stage_uncount_try(zn_live_stage *stage, zn_task_run run);

/* Moves these pending tasks to the running ones: an earlier attempt at them goes on. */
void zn_live_stage_claim(zn_live_stage *stage, uint32_t first, uint32_t count);

#endif
