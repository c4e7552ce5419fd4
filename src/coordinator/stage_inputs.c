/* SPDX-License-Identifier: MPL-2.0 */
/* Which earlier stages a stage reads. The driver says it with START_STAGE, and only after they are
 * complete; that is checked here, so that a stage never begins with a part of its rows. What was
 * lost since then is made again before the first of its tasks is handed out (lineage.h).
 *
 * Tasks of a shuffle tell their largest partitions. A partition that is large is among those of
 * most tasks, so the sums over all tasks are about right where it matters, and far too small for
 * partitions that are like the others. Tasks whose sum is above the mean of all go first. */
#include "coordinator/stage_inputs.h"

#include <stdlib.h>

#include "base/alloc.h"

static zonda_err check_input(const zn_live_job *job, const zn_msg_start_stage *request,
                             const zn_stage_input *input, zonda_error *error) {
    unsigned long long index = request->stage;
    const zn_live_stage *stage = zn_live_job_stage(job, input->stage);
    if (stage == NULL || !stage->was_complete) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "stage %llu reads stage %llu, which %s", index,
                            (unsigned long long)input->stage,
                            stage == NULL ? "was not started" : "was never complete");
    }
    if (input->first >= request->task_count) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "task %llu of stage %llu is to read stage %llu, but there are %llu "
                            "tasks",
                            (unsigned long long)input->first, index,
                            (unsigned long long)input->stage,
                            (unsigned long long)request->task_count);
    }
    return ZONDA_OK;
}

zonda_err zn_stage_inputs_check(const zn_live_job *job, const zn_msg_start_stage *request,
                                zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; err == ZONDA_OK && i < request->inputs_count; i++) {
        err = check_input(job, request, &request->inputs[i], error);
    }
    return err;
}

/* ---- tasks with much to read ---- */

typedef struct weighed_task {
    uint64_t bytes;
    uint32_t task;
} weighed_task;

static uint64_t add_up(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Adds what the tasks of an input tell of their partitions. */
static void weigh_input(const zn_live_stage *input, uint64_t first, weighed_task *tasks,
                        uint32_t total) {
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&input->results, at, &run); at = run.first + run.count) {
        const zn_result_home *home =
            zn_task_result_home((const zn_task_result *)(uintptr_t)run.value);
        for (size_t i = 0; home != NULL && i < home->part_count; i++) {
            uint64_t task = first + home->parts[i].partition;
            if (task < total) {
                tasks[task].bytes = add_up(tasks[task].bytes, home->parts[i].bytes);
            }
        }
    }
}

static int larger_first(const void *a, const void *b) {
    const weighed_task *left = a;
    const weighed_task *right = b;
    if (left->bytes != right->bytes) {
        return left->bytes > right->bytes ? -1 : 1;
    }
    return left->task < right->task ? -1 : 1;
}

/* Keeps the tasks above the mean, as many as are remembered. */
static void rank_tasks(zn_live_stage *stage, weighed_task *tasks, uint64_t bytes) {
    qsort(tasks, stage->total, sizeof *tasks, larger_first);
    size_t count = 0;
    while (count < stage->total && count < ZN_STAGE_FIRST_MAX &&
           tasks[count].bytes > bytes / stage->total) {
        count++;
    }
    stage->first_tasks = zn_calloc(count, sizeof *stage->first_tasks);
    stage->first_count = count;
    for (size_t i = 0; i < count; i++) {
        stage->first_tasks[i] = tasks[i].task;
    }
}

static void weigh_tasks(zn_live_stage *stage) {
    weighed_task *tasks = zn_calloc(stage->total, sizeof *tasks);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < stage->total; i++) {
        tasks[i].task = i;
    }
    for (size_t i = 0; i < stage->input_count; i++) {
        const zn_stage_input *input = &stage->inputs[i];
        if (input->by == ZN_INPUT_PARTITION) {
            const zn_live_stage *read = zn_live_job_stage(stage->job, input->stage);
            weigh_input(read, input->first, tasks, stage->total);
            bytes = add_up(bytes, read->bytes_out);
        }
    }
    rank_tasks(stage, tasks, bytes);
    free(tasks);
}

void zn_stage_inputs_install(zn_live_stage *stage, const zn_msg_start_stage *request) {
    stage->input_count = request->inputs_count;
    stage->inputs = zn_memdup(request->inputs, request->inputs_count * sizeof *request->inputs);
    /* A stage with a limit is run in order, because what lies behind it is in vain. */
    bool ordered = stage->limit > 0 || stage->total > ZN_STAGE_WEIGHED_MAX;
    bool partitions = false;
    for (size_t i = 0; i < stage->input_count; i++) {
        partitions = partitions || stage->inputs[i].by == ZN_INPUT_PARTITION;
    }
    if (partitions && !ordered) {
        weigh_tasks(stage);
    }
}

zonda_err zn_stage_inputs_same(const zn_live_stage *stage, const zn_msg_start_stage *request,
                               zonda_error *error) {
    bool same = stage->input_count == request->inputs_count;
    for (size_t i = 0; same && i < stage->input_count; i++) {
        const zn_stage_input *a = &stage->inputs[i];
        const zn_stage_input *b = &request->inputs[i];
        same = a->stage == b->stage && a->first == b->first && a->by == b->by;
    }
    return same ? ZONDA_OK
                : zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                               "stage %u was started with other inputs than another START_STAGE "
                               "has",
                               stage->index);
}
