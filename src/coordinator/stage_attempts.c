/* SPDX-License-Identifier: MPL-2.0 */
/* Attempts that do not follow the usual way from pending to running to completed: earlier ones that
 * go on, and results of earlier ones that come late. Called by the scheduler, and by replay. */
#include "coordinator/stage_attempts.h"

void zn_live_stage_count_try(zn_live_stage *stage, zn_task_run run) {
    stage->retries += run.value > 1 + (uint64_t)stage->raised ? run.count : 0;
}

void zn_live_stage_uncount_try(zn_live_stage *stage, zn_task_run run) {
    stage->retries -= run.value > 1 + (uint64_t)stage->raised ? run.count : 0;
}

void zn_live_stage_claim(zn_live_stage *stage, uint32_t first, uint32_t count) {
    zn_task_set_remove(&stage->pending, first, count);
    zn_stage_delay_forget(&stage->delay, first, count);
    stage->running += count;
}
