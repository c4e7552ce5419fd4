/* SPDX-License-Identifier: MPL-2.0 */
/* What the loss of results changes in a stage, and nothing else: what follows from it decides
 * lineage.c, and replay does it again from notes. A lost result is one that lay with a worker and
 * whose holder is 0; `lost` counts their tasks. They become pending all at once. */
#include "coordinator/lost_results.h"

#include "base/assert.h"

static zn_task_result *result_of(zn_task_run run) {
    return (zn_task_result *)(uintptr_t)run.value;
}

static void lose(zn_live_stage *stage, zn_task_result *result) {
    stage->lost += result->tasks;
    zn_task_result_home(result)->holder = 0;
}

uint64_t zn_lost_results_of(zn_live_stage *stage, uint64_t holder) {
    uint64_t before = stage->lost;
    zn_task_run run;
    for (uint32_t at = 0; stage->away > 0 && zn_task_set_next(&stage->results, at, &run);
         at = run.first + run.count) {
        zn_task_result *result = result_of(run);
        if (result->away && !zn_task_result_is_lost(result) &&
            zn_task_result_home(result)->holder == holder) {
            lose(stage, result);
        }
    }
    return stage->lost - before;
}

bool zn_lost_results_one(zn_live_stage *stage, uint32_t task, uint32_t attempt) {
    zn_task_run run = { 0, 0, 0 };
    if (!zn_task_set_get(&stage->results, task, &run.value)) {
        return false;
    }
    zn_task_result *result = result_of(run);
    if (!result->away || zn_task_result_is_lost(result) ||
        zn_task_result_home(result)->attempt != attempt) {
        return false;
    }
    lose(stage, result);
    return true;
}

static void remake_run(zn_live_stage *stage, zn_task_run run, uint32_t attempt) {
    zn_task_result *result = result_of(run);
    const zn_result_home *home = zn_task_result_home(result);
    stage->away -= run.count;
    stage->lost -= run.count;
    stage->records_in -= home->records_in * run.count;
    stage->records_out -= result->records_out * run.count;
    stage->bytes_in -= home->bytes_in * run.count;
    stage->bytes_out -= home->bytes_out * run.count;
    zn_counter_totals_subtract(&stage->counters, home->counters.items, home->counters.count,
                               run.count);
    zn_task_set_remove(&stage->results, run.first, run.count);
    zn_live_stage_add_pending(stage, (zn_task_run){ run.first, run.count, attempt });
    zn_task_result_release(result, run.count);
}

void zn_lost_results_run_again(zn_live_stage *stage, uint32_t attempt) {
    zonda_err refused = zn_live_stage_apply(stage, ZN_STAGE_EVENT_LOSE, NULL);
    ZN_ASSERT(refused == ZONDA_OK);
    zn_task_run run = { 0, 0, 0 };
    for (uint32_t at = 0; stage->lost > 0 && zn_task_set_next(&stage->results, at, &run);
         at = run.first + run.count) {
        if (zn_task_result_is_lost(result_of(run))) {
            remake_run(stage, run, attempt);
        }
    }
    stage->first_next = 0;
    zn_live_stage_count_prefix(stage);
}

void zn_lost_results_unskip(zn_live_stage *stage, uint32_t first, uint32_t count) {
    zn_task_run run;
    uint32_t end = first + count;
    for (uint32_t at = first;
         at < end && zn_task_set_next(&stage->results, at, &run) && run.first < end;
         at = run.first + run.count) {
        run.count = run.count < end - run.first ? run.count : end - run.first;
        zn_task_set_remove(&stage->results, run.first, run.count);
        zn_task_result_release(result_of(run), run.count);
    }
    zn_live_stage_count_prefix(stage);
}
