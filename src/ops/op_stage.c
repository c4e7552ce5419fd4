/* SPDX-License-Identifier: MPL-2.0 */
/* Source of a later stage: all results of an earlier one, in task order. They come in pages through
 * the host; small results lie in the page, large ones are read from segments.
 * Pages and segments come from outside, so their order, their bytes and their number of records are
 * checked before anything is pushed on. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/op_list.h"
#include "record/value.h"
#include "store/fetch.h"
#include "store/result_place.h"
#include "wire/shape.h"

typedef struct stage_source {
    bool empty;
    zn_stage_id stage;
    zn_fetcher *fetcher; /* made when the first reference comes */
} stage_source;

/* What the fetch callback needs. */
typedef struct pushing {
    zn_op *op;
    zonda_task *task;
    uint64_t count;
} pushing;

static zonda_err open_stage(zn_op *op, zonda_error *error) {
    bool empty = false;
    uint64_t stage = 0;
    zn_value_field_bool(op->args, "empty", &empty);
    if (!empty && (!zn_value_field_uint(op->args, "stage", &stage) || stage > ZN_STAGES_MAX)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the source does not say which stage to read");
    }
    if (op->shard_count != 1) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "a stage that reads all results of another has one task, not %" PRIu64,
                            op->shard_count);
    }
    stage_source *self = ZN_NEW(stage_source);
    self->empty = empty;
    self->stage.value = (uint32_t)stage;
    op->state = self;
    return ZONDA_OK;
}

static void close_stage(zn_op *op) {
    stage_source *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_fetcher_destroy(&self->fetcher);
    free(self);
    op->state = NULL;
}

/* Pushes concatenated records that are not checked yet. */
static zonda_err push_unchecked(pushing *push, zn_bytes records, zonda_error *error) {
    while (records.len > 0) {
        size_t used = 0;
        zonda_err err = zn_shape_check(records, ZN_RECORD_DEPTH_MAX, &used, error);
        if (err != ZONDA_OK) {
            zn_error_prefix(error, "a result of an earlier stage: ");
            return err;
        }
        err = zn_op_emit(push->op, push->task, (zn_bytes){ records.data, used }, error);
        if (err != ZONDA_OK) {
            return err;
        }
        push->count++;
        records.data += used;
        records.len -= used;
    }
    return ZONDA_OK;
}

static zonda_err push_fetched(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    pushing *push = context;
    push->count += count;
    return zn_op_emit_all(push->op, push->task, records, error);
}

static zonda_err push_reference(stage_source *self, pushing *push, const zn_result *result,
                                zonda_error *error) {
    if (self->fetcher == NULL) {
        self->fetcher = zn_fetcher_new(ZN_CALL_TIMEOUT_MS);
    }
    zn_result_place where = zn_result_place_of(result, zn_fetcher_machine(self->fetcher));
    zonda_err err = zn_fetcher_read(self->fetcher, &where.place, where.stretch,
                                    push->task->host->memory, push_fetched, push, error);
    zn_result_place_free(&where);
    return err;
}

/* Pushes the records of one task of the earlier stage. */
static zonda_err push_result(zn_op *op, zonda_task *task, const zn_result *result, uint64_t number,
                             zonda_error *error) {
    stage_source *self = op->state;
    pushing push = { .op = op, .task = task };
    zonda_err err = result->reference_count > 0 ? push_reference(self, &push, result, error)
                                                : push_unchecked(&push, result->records, error);
    if (err == ZONDA_OK && push.count != result->records_out) {
        err = zn_error_set(error, ZONDA_ERR_CORRUPT,
                           "task %" PRIu64 " of stage %" PRIu32 " gave %" PRIu64
                           " records, but %" PRIu64 " were read",
                           number, self->stage.value, result->records_out, push.count);
    }
    return err;
}

/* Pushes the results of a page from task `*next` on and moves it. */
static zonda_err push_page(zn_op *op, zonda_task *task, const zn_msg_results *page, uint64_t *next,
                           zonda_error *error) {
    for (size_t i = 0; i < page->results_count; i++) {
        const zn_result *result = &page->results[i];
        if (result->first > *next || result->count == 0) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "the results have a gap at task %" PRIu64, *next);
        }
        for (; *next - result->first < result->count; ++*next) {
            zonda_err err = push_result(op, task, result, *next, error);
            if (err != ZONDA_OK) {
                return err;
            }
        }
    }
    return ZONDA_OK;
}

static zonda_err run_stage(zn_op *op, zonda_task *task, zonda_error *error) {
    stage_source *self = op->state;
    if (self->empty) {
        return ZONDA_OK;
    }
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    uint64_t next = 0;
    uint64_t total = 1;
    while (next < total) {
        const zn_msg_results *page = NULL;
        zonda_err err = host->results(host->context, zn_stage_exec_job(op->stage), self->stage,
                                      next, &page, error);
        if (err != ZONDA_OK) {
            return err;
        }
        uint64_t before = next;
        total = page->total;
        err = push_page(op, task, page, &next, error);
        if (err != ZONDA_OK) {
            return err;
        }
        if (next == before) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "the results of stage %" PRIu32 " end at task %" PRIu64
                                " of %" PRIu64,
                                self->stage.value, next, total);
        }
    }
    return ZONDA_OK;
}

static const zn_op_runtime stage_runtime = {
    .open = open_stage,
    .close = close_stage,
    .run = run_stage,
};

static const zn_arg_def stage_args[] = {
    { .name = "stage",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGES_MAX,
      .doc = "index of the stage whose results are read" },
    { .name = "empty",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "that stage had no shards" },
};

const zn_op_def zn_op_stage = { .name = "stage",
                                .op_class = ZN_OP_INNER,
                                ZN_ARGS(stage_args),
                                .runtime = &stage_runtime,
                                .doc = "all results of an earlier stage" };
