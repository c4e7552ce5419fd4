/* SPDX-License-Identifier: MPL-2.0 */
/* The reading side of a shuffle, for the operators that begin a stage. What lies where comes from
 * the table (exchange_table.h), rows from the stretches of the shard (exchange_rows.h), their order
 * from a merge, in which an earlier stream wins among equal keys; streams are in the order of
 * inputs and tasks, so order is (key, input, task, position) whatever the memory was.
 *
 * Where something is not where the table says, the table goes: the next attempt of anybody asks the
 * coordinator again. */
#include "ops/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "ops/exchange_rows.h"
#include "record/value.h"

enum {
    ROWS_BETWEEN_QUESTIONS = 64 /* whether the attempt is cancelled */
};

struct zn_exchange {
    zn_op *op;
    zn_exchange_plan plan;
    zn_fetcher *fetcher;
    zn_exchange_table *table; /* opened for the first shard */
    zn_exchange_shard shard;
    zn_exchange_rows *rows;
    zn_merge *merge;
    uint64_t spilled_bytes; /* by the merge of the shard */
    uint32_t since_question;
};

/* ---- the plan ---- */

static bool read_way(zn_bytes map, zn_exchange_way *out) {
    static const char *const names[] = { [ZN_EXCHANGE_PARTITION] = "partition",
                                         [ZN_EXCHANGE_RANGE] = "range",
                                         [ZN_EXCHANGE_BYTES] = "bytes",
                                         [ZN_EXCHANGE_TASK] = "task" };
    zn_bytes name;
    if (!zn_value_field_text(map, "by", &name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(names[i]))) {
            *out = (zn_exchange_way)i;
            return true;
        }
    }
    return false;
}

static zonda_err read_input(zn_bytes map, size_t index, zn_exchange_plan *plan,
                            zonda_error *error) {
    uint64_t stage = 0;
    uint64_t tasks = 0;
    zn_exchange_way way = plan->way;
    bool ok = zn_value_field_uint(map, "stage", &stage) && stage <= ZN_STAGES_MAX &&
              zn_value_field_uint(map, "tasks", &tasks) && tasks > 0 &&
              tasks <= ZN_STAGE_TASKS_MAX && read_way(map, &way);
    if (!ok || (index > 0 && way != plan->way) ||
        (way == ZN_EXCHANGE_TASK && tasks > plan->shards)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "input %zu of an exchange cannot be read",
                            index);
    }
    plan->way = way;
    plan->inputs[index] = (zn_exchange_input){ .stage = { (uint32_t)stage }, .tasks = tasks };
    plan->input_count = index + 1;
    return ZONDA_OK;
}

static zonda_err read_plan(const zn_op *op, zn_exchange_plan *plan, zonda_error *error) {
    zn_bytes list;
    plan->shards = op->shard_count;
    if (!zn_value_field(op->planned, zn_bytes_of_text("inputs"), &list)) {
        return ZONDA_OK;
    }
    zn_cursor cursor = zn_cursor_of(list);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY || head.count > ZN_STAGE_INPUTS_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the inputs of an exchange cannot be read");
    }
    plan->inputs = zn_calloc(head.count, sizeof *plan->inputs);
    zonda_err code = ZONDA_OK;
    for (uint32_t i = 0; code == ZONDA_OK && i < head.count; i++) {
        code = read_input(zn_cursor_skip(&cursor), i, plan, error);
    }
    return code;
}

zn_exchange *zn_exchange_new(zn_op *op, zonda_error *error) {
    zn_exchange *exchange = ZN_NEW(zn_exchange);
    exchange->op = op;
    if (read_plan(op, &exchange->plan, error) != ZONDA_OK) {
        zn_exchange_destroy(&exchange);
    }
    return exchange;
}

void zn_exchange_destroy(zn_exchange **exchange) {
    zn_exchange *self = *exchange;
    if (self == NULL) {
        return;
    }
    zn_exchange_end(self, NULL);
    zn_exchange_table_close(&self->table);
    zn_fetcher_destroy(&self->fetcher);
    free(self->plan.inputs);
    free(self);
    *exchange = NULL;
}

/* ---- a shard ---- */

/* Whether the table may be wrong about where rows are. */
static zonda_err settle(zn_exchange *exchange, zonda_err code) {
    bool misled =
        code == ZONDA_ERR_WORKER_LOST || code == ZONDA_ERR_NOT_FOUND || code == ZONDA_ERR_CORRUPT;
    if (misled && exchange->table != NULL) {
        zn_exchange_table_discard(exchange->table);
        zn_exchange_end(exchange, NULL);
        zn_exchange_table_close(&exchange->table);
    }
    return code;
}

static zonda_err open_table(zn_exchange *exchange, zonda_error *error) {
    if (exchange->table != NULL) {
        return ZONDA_OK;
    }
    if (exchange->fetcher == NULL) {
        const zn_task_host *host = zn_stage_exec_host(exchange->op->stage);
        exchange->fetcher = zn_fetcher_new(ZN_CALL_TIMEOUT_MS);
        zn_fetcher_set_keys(exchange->fetcher, host->keys);
        zn_fetcher_set_cancel(exchange->fetcher, zn_task_waits, (void *)host);
    }
    const zn_op *op = exchange->op;
    zn_exchange_user user = { .host = zn_stage_exec_host(op->stage),
                              .job = zn_stage_exec_job(op->stage),
                              .stage = zn_stage_exec_stage(op->stage),
                              .shard_first = op->shard_first,
                              .fetcher = exchange->fetcher };
    exchange->table = zn_exchange_table_open(&exchange->plan, &user, error);
    return exchange->table == NULL ? error->code : ZONDA_OK;
}

static zonda_err open_merge(zn_exchange *exchange, zonda_error *error) {
    const zn_task_host *host = zn_stage_exec_host(exchange->op->stage);
    size_t count = exchange->shard.count;
    zn_merge_options options = { .scratch = host->scratch,
                                 .memory = host->memory,
                                 .sorted = exchange->plan.way != ZN_EXCHANGE_BYTES,
                                 .spilled_bytes = &exchange->spilled_bytes,
                                 .cancelled = zn_task_waits,
                                 .context = (void *)host };
    zn_row_stream *streams = zn_calloc(count, sizeof *streams);
    exchange->rows = zn_exchange_rows_new(&exchange->shard);
    for (size_t i = 0; i < count; i++) {
        streams[i] = zn_exchange_rows_stream(exchange->rows, i);
    }
    exchange->merge = zn_merge_new(&options, streams, count, error);
    free(streams);
    return exchange->merge == NULL ? error->code : ZONDA_OK;
}

static zonda_err begin(zn_exchange *exchange, zonda_task *task, zonda_error *error) {
    zn_exchange_end(exchange, task);
    task->pulls = true;
    if (exchange->plan.input_count == 0) {
        return ZONDA_OK;
    }
    zonda_err code = open_table(exchange, error);
    if (code != ZONDA_OK) {
        return code;
    }
    zn_exchange_shard shard = { .plan = &exchange->plan,
                                .table = exchange->table,
                                .fetcher = exchange->fetcher,
                                .memory = task->host->memory };
    code = zn_exchange_table_read(exchange->table, zn_op_shard(exchange->op, task), &shard.borders,
                                  &shard.stretches, &shard.count, error);
    exchange->shard = shard;
    if (code == ZONDA_OK) {
        code = open_merge(exchange, error);
    }
    return settle(exchange, code);
}

zonda_err zn_exchange_begin(zn_exchange *exchange, zonda_task *task, zonda_error *error) {
    int before = zn_profile_enter(ZN_SECTION_SHUFFLING);
    zonda_err err = begin(exchange, task, error);
    zn_profile_leave(before);
    return err;
}

static zonda_err check_cancelled(zn_exchange *exchange, const zonda_task *task,
                                 zonda_error *error) {
    exchange->since_question++;
    if (exchange->since_question < ROWS_BETWEEN_QUESTIONS) {
        return ZONDA_OK;
    }
    exchange->since_question = 0;
    return task->host->cancelled(task->host->context)
               ? zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled")
               : ZONDA_OK;
}

zonda_err zn_exchange_next(zn_exchange *exchange, zonda_task *task, zn_row *row, size_t *input,
                           bool *found, zonda_error *error) {
    *found = false;
    if (exchange->merge == NULL) {
        return ZONDA_OK; /* no inputs */
    }
    size_t stream = 0;
    zonda_err code = check_cancelled(exchange, task, error);
    if (code == ZONDA_OK) {
        int before = zn_profile_enter_record(ZN_SECTION_SHUFFLING);
        code = zn_merge_next(exchange->merge, row, &stream, found, error);
        zn_profile_leave_record(before);
    }
    if (code != ZONDA_OK) {
        return settle(exchange, code);
    }
    if (*found) {
        task->records_in++;
        zn_task_moves(task->host);
        task->bytes_in += row->key.len + row->record.len;
        if (input != NULL) {
            *input = exchange->shard.stretches[stream].input;
        }
    }
    return ZONDA_OK;
}

void zn_exchange_end(zn_exchange *exchange, zonda_task *task) {
    if (task != NULL) {
        zn_task_spilled(task, exchange->spilled_bytes);
    }
    exchange->spilled_bytes = 0;
    zn_merge_destroy(&exchange->merge);
    zn_exchange_rows_destroy(&exchange->rows);
}
