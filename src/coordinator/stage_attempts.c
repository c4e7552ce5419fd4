/* SPDX-License-Identifier: MPL-2.0 */
/* Attempts that do not follow the usual way from pending to running to completed: earlier ones that
 * go on, and results of earlier ones that come late. A task's attempt numbers are unique for ever,
 * so a late result must remember which number comes next. Called by the scheduler, and by replay.
 */
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

void zn_live_stage_set_next(zn_live_stage *stage, uint32_t first, uint32_t count, uint64_t next) {
    zn_task_run run;
    for (uint32_t at = first; at - first < count && zn_task_set_next(&stage->results, at, &run);
         at = run.first + run.count) {
        zn_result_home *home = ((zn_task_result *)(uintptr_t)run.value)->home;
        if (home != NULL && run.first - first < count) {
            home->next = next;
        }
    }
}
