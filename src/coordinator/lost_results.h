/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_LOST_RESULTS_H
#define ZN_COORDINATOR_LOST_RESULTS_H

#include "coordinator/live_stage.h"

/* The results of completed tasks that lay with a worker are nowhere any more. Returns how many. The
 * tasks count as completed until the stage runs again. */
uint64_t zn_lost_results_of(zn_live_stage *stage, uint64_t holder);

/* The same of the result that an attempt gave for a task. False if the task has no such result. */
bool zn_lost_results_one(zn_live_stage *stage, uint32_t task, uint32_t attempt);

/* Makes the tasks pending again, with this attempt, whose results are nowhere. A stage that was
 * complete runs again. To be followed by zn_live_stage_settle. */
void zn_lost_results_run_again(zn_live_stage *stage, uint32_t attempt);

/* Tasks that workers hold were skipped; now that the stage runs again they are open. */
void zn_lost_results_unskip(zn_live_stage *stage, uint32_t first, uint32_t count);

#endif
