/* SPDX-License-Identifier: MPL-2.0 */
/* The end of a stage that others read by key, by range or by size. Records become rows; those that
 * have to be sorted go through the sorter, which spills what does not fit into the slot's memory,
 * and come out in the order of (partition, key) at the end of the task; others are written as they
 * come. Either way they go to the stage's segment with an index behind them, which is all that the
 * next stage needs to find its part. What is written depends on the records alone, not on what was
 * spilled when. Equal keys stay in the order of the records. */
#include "ops/shuffle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "ops/collect.h"
#include "ops/shuffle_combine.h"
#include "record/key.h"

typedef enum shuffle_mode {
    MODE_HASH,
    MODE_RANGE,
    MODE_BYTES,
    MODE_TASK,
} shuffle_mode;

typedef enum shuffle_keep {
    KEEP_ALL,
    KEEP_FIRST,
    KEEP_FUNCTION,
    KEEP_ROWS,
} shuffle_keep;

typedef struct shuffle {
    shuffle_mode mode;
    shuffle_keep keep;
    bool drop_nil;
    uint32_t shards;
    zn_shuffle_key key;
    zn_shuffle_combine combine;
    zn_sorter *sorter; /* NULL: rows stay in the order of arrival */
    zonda_task *task;
    zn_segment *segment;
    zn_buf last_key;  /* MODE_TASK: of the row before */
    uint64_t records; /* of the task so far */
} shuffle;

const zn_arg_def zn_shuffle_args[] = {
    { .name = "by", .type = ZN_ARG_KEY, .use = ZN_ARG_OPTION, .doc = "decides the partition" },
    { .name = "sort_by", .type = ZN_ARG_KEY, .use = ZN_ARG_OPTION, .doc = "sorts inside a key" },
    { .name = "descending",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "the largest comes first" },
    { .name = "mode",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .choices = "hash, range, bytes, task",
      .doc = "how rows are partitioned" },
    { .name = "shards",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .min = 1,
      .max = ZN_STAGE_TASKS_MAX,
      .doc = "partitions" },
    { .name = "keep",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .choices = "all, first, function, rows",
      .doc = "which rows of a key stay" },
    { .name = "combine",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_OPTION,
      .block = true,
      .doc = "makes rows of the rows of a key" },
    { .name = "drop_nil",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "rows without a key are dropped" },
};

_Static_assert(sizeof zn_shuffle_args / sizeof zn_shuffle_args[0] == ZN_SHUFFLE_ARG_COUNT,
               "the count of the header is that of the table");

/* ---- once per stage ---- */

static bool argument_is(const zn_op *op, const char *name, const char *choice) {
    zn_bytes text;
    return zn_value_field_text(op->args, name, &text) &&
           zn_bytes_equal(text, zn_bytes_of_text(choice));
}

static zonda_err read_arguments(const zn_op *op, shuffle *self, zonda_error *error) {
    static const char *const modes[] = { "hash", "range", "bytes", "task" };
    static const char *const keeps[] = { "all", "first", "function", "rows" };
    bool known = false;
    for (unsigned i = 0; i < 4; i++) {
        if (argument_is(op, "mode", modes[i])) {
            self->mode = (shuffle_mode)i;
            known = true;
        }
        if (argument_is(op, "keep", keeps[i])) {
            self->keep = (shuffle_keep)i;
        }
    }
    uint64_t shards = 1;
    bool has_shards = zn_value_field_uint(op->args, "shards", &shards);
    self->shards = (uint32_t)shards;
    zn_value_field_bool(op->args, "drop_nil", &self->drop_nil);
    zn_bytes by;
    bool keyed = zn_value_field(op->args, zn_bytes_of_text("by"), &by) || self->keep == KEEP_ROWS;
    bool sorts = self->mode == MODE_HASH || self->mode == MODE_RANGE;
    if (!known || (self->mode == MODE_HASH && !has_shards) ||
        (self->mode != MODE_BYTES && !keyed) ||
        (!sorts && (self->keep == KEEP_FIRST || self->keep == KEEP_FUNCTION))) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the arguments of %s do not fit together",
                            op->def->name);
    }
    return ZONDA_OK;
}

static bool is_cancelled(void *context) {
    const shuffle *self = context;
    return zonda_task_cancelled(self->task);
}

static zn_sorter *new_sorter(const zn_op *op, shuffle *self) {
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    bool combines = self->keep == KEEP_FIRST || self->keep == KEEP_FUNCTION;
    return zn_sorter_new(
        &(zn_sorter_options){ .scratch = host->scratch,
                              .memory = host->memory,
                              .combiner = combines ? &self->combine.combiner : NULL,
                              .sorted = true,
                              .cancelled = is_cancelled,
                              .cancelled_context = self });
}

static zonda_err open_shuffle(zn_op *op, zonda_error *error) {
    shuffle *self = ZN_NEW(shuffle);
    op->state = self;
    zonda_err err = read_arguments(op, self, error);
    if (err == ZONDA_OK && self->keep != KEEP_ROWS) {
        err = zn_shuffle_key_open(op, &self->key, error);
    }
    if (err == ZONDA_OK) {
        err = zn_shuffle_combine_open(op, &self->key, self->keep == KEEP_FUNCTION, &self->combine,
                                      error);
    }
    if (err == ZONDA_OK && (self->mode == MODE_HASH || self->mode == MODE_RANGE)) {
        self->sorter = new_sorter(op, self);
    }
    return err;
}

static void close_shuffle(zn_op *op) {
    shuffle *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_sorter_destroy(&self->sorter);
    zn_shuffle_combine_close(&self->combine);
    zn_shuffle_key_close(&self->key);
    zn_buf_free(&self->last_key);
    free(self);
    op->state = NULL;
}

/* ---- writing ---- */

static zonda_err start_segment(const zn_op *op, shuffle *self, zonda_error *error) {
    static const zn_index_kind kinds[] = { [MODE_HASH] = ZN_INDEX_PARTITIONS,
                                           [MODE_RANGE] = ZN_INDEX_SAMPLES,
                                           [MODE_BYTES] = ZN_INDEX_BLOCKS,
                                           [MODE_TASK] = ZN_INDEX_PARTITIONS };
    self->segment = zn_collect_segment(op->next);
    return zn_segment_start_indexed(self->segment, kinds[self->mode], error);
}

static zonda_err write_row(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                           zonda_error *error) {
    return zn_segment_add_row(context, partition, key, record, error);
}

static zonda_err check_ascending(shuffle *self, zn_bytes key, zonda_error *error) {
    if (self->records > 1 && zn_key_compare(key, zn_buf_bytes(&self->last_key)) < 0) {
        zn_error_set(error, ZONDA_ERR_INVALID,
                     "the input is not sorted: the key of record %" PRIu64
                     " of the shard comes before that of the record before it",
                     self->records);
        error->permanent = true;
        return ZONDA_ERR_INVALID;
    }
    zn_buf_reset(&self->last_key, 2 * ZN_KEY_BYTES_MAX);
    zn_buf_append(&self->last_key, key.data, key.len);
    return ZONDA_OK;
}

static uint32_t partition_of(const shuffle *self, zn_bytes by) {
    return self->mode == MODE_HASH && self->shards > 1 ? zn_key_partition(by, self->shards) : 0;
}

static zonda_err add_row(shuffle *self, uint32_t partition, zn_bytes key, zn_bytes record,
                         zonda_error *error) {
    if (self->sorter != NULL) {
        return zn_sorter_add(self->sorter, partition, key, record, error);
    }
    zonda_err err = self->mode == MODE_TASK ? check_ascending(self, key, error) : ZONDA_OK;
    return err == ZONDA_OK ? zn_segment_add_row(self->segment, partition, key, record, error) : err;
}

/* ---- for each task ---- */

static zonda_err begin_shuffle(zn_op *op, zonda_task *task, zonda_error *error) {
    shuffle *self = op->state;
    self->task = task;
    self->records = 0;
    zonda_err err = zn_shuffle_key_begin(&self->key, task, error);
    if (err == ZONDA_OK) {
        err = zn_shuffle_combine_begin(&self->combine, task, error);
    }
    if (err == ZONDA_OK && self->sorter == NULL) {
        err = start_segment(op, self, error);
    }
    return err;
}

static zonda_err push_rows(shuffle *self, zn_bytes rows, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(rows);
    zonda_err err = ZONDA_OK;
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        zn_row row;
        if (!zn_row_take(&cursor, &row)) {
            return zn_error_set(error, ZONDA_ERR_INTERNAL, "no rows came to a shuffle of rows");
        }
        zn_bytes by = { row.key.data, zn_key_first(row.key) };
        self->records++;
        if (!self->drop_nil || !zn_key_has_nil(by)) {
            err = add_row(self, partition_of(self, by), row.key, row.record, error);
        }
    }
    return err;
}

static zonda_err take_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    shuffle *self = op->state;
    if (self->keep == KEEP_ROWS) {
        return push_rows(self, record, error);
    }
    self->records++;
    zn_shuffle_key *key = &self->key;
    zonda_err err = zn_shuffle_key_find(key, task, record, error);
    if (err != ZONDA_OK || (self->drop_nil && zn_key_has_nil(zn_buf_bytes(&key->bytes)))) {
        return err;
    }
    uint32_t partition = partition_of(self, zn_buf_bytes(&key->bytes));
    err = zn_shuffle_key_finish(key, task, record, error);
    return err == ZONDA_OK ? add_row(self, partition, zn_buf_bytes(&key->bytes), record, error)
                           : err;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    int before = zn_profile_enter_record(ZN_SECTION_SHUFFLING);
    zonda_err err = take_record(op, task, record, error);
    zn_profile_leave_record(before);
    return err;
}

static zonda_err end_shuffle(zn_op *op, zonda_task *task, zonda_error *error) {
    shuffle *self = op->state;
    zonda_err err = ZONDA_OK;
    if (self->sorter != NULL) {
        err = start_segment(op, self, error);
        if (err == ZONDA_OK) {
            int before = zn_profile_enter(ZN_SECTION_SHUFFLING);
            err = zn_sorter_drain(self->sorter, write_row, self->segment, error);
            zn_profile_leave(before);
            zn_task_spilled(task, zn_sorter_spilled_bytes(self->sorter));
        }
    }
    if (err == ZONDA_OK) {
        err = zn_collect_finish_indexed(op->next, task, self->mode == MODE_HASH, error);
    }
    zn_shuffle_combine_end(&self->combine, task);
    zn_shuffle_key_end(&self->key, task);
    return err;
}

static void abort_shuffle(zn_op *op, zonda_task *task) {
    shuffle *self = op->state;
    if (self->sorter != NULL) {
        zn_sorter_reset(self->sorter);
    }
    zn_shuffle_combine_end(&self->combine, task);
    zn_shuffle_key_end(&self->key, task);
}

const zn_op_runtime zn_shuffle_runtime = {
    .open = open_shuffle,
    .close = close_shuffle,
    .begin = begin_shuffle,
    .push = push_record,
    .end = end_shuffle,
    .abort = abort_shuffle,
};
