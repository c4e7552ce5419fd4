/* SPDX-License-Identifier: MPL-2.0 */
/* Combining on the writing side. A function sees the rows of each key; what it gives has the key of
 * its group. If rows are also sorted inside their keys, what it gives has to be sorted again,
 * because it may be in any order: it goes through a small sorter of its own. Whether the function
 * runs once over the rows of a key or several times depends on memory; that it may is what
 * "associative" asks of it. Used by ops/shuffle.c. */
#include "ops/shuffle_combine.h"

#include <string.h>

#include "base/limits.h"
#include "ops/group.h"
#include "record/key.h"

enum {
    SORTER_BYTES_MAX = ZN_MIB
};

/* Where rows come from and go to, during one run of the combiner. */
typedef struct combining {
    zn_shuffle_combine *self;
    zn_row_stream *rows;
    zonda_err (*put)(void *to, zn_bytes key, zn_bytes record, zonda_error *error);
    void *to;
} combining;

static zonda_err pull_row(void *context, zn_row *row, bool *found, zonda_error *error) {
    combining *run = context;
    return run->rows->next(run->rows->context, row, found, error);
}

static zonda_err put_row(void *context, zn_bytes key, zn_bytes value, zonda_error *error) {
    combining *run = context;
    return run->put(run->to, key, value, error);
}

static zonda_err put_sorted(void *context, uint32_t partition, zn_bytes key, zn_bytes value,
                            zonda_error *error) {
    (void)partition;
    return put_row(context, key, value, error);
}

/* Gives a value to the sorter, with the key of its group and its own of "sort_by". It is made in a
 * buffer of its own: a row whose coming made others spill waits with its key in that of the
 * shuffle. */
static zonda_err sort_value(void *context, zn_bytes group, zn_bytes value, zonda_error *error) {
    combining *run = context;
    zn_shuffle_combine *self = run->self;
    zn_shuffle_key key = *self->key;
    key.bytes = self->row_key;
    key.bytes.len = 0;
    key.by_len = group.len;
    zn_buf_append(&key.bytes, group.data, group.len);
    zonda_err err = zn_shuffle_key_finish(&key, self->task, value, error);
    self->row_key = key.bytes;
    return err == ZONDA_OK
               ? zn_sorter_add(self->sorter, 0, zn_buf_bytes(&self->row_key), value, error)
               : err;
}

static zonda_err call_function(void *context, zn_row_stream *rows,
                               zonda_err (*put)(void *to, zn_bytes key, zn_bytes record,
                                                zonda_error *error),
                               void *to, zonda_error *error) {
    zn_shuffle_combine *self = context;
    combining run = { .self = self, .rows = rows, .put = put, .to = to };
    zn_group_emit *emit = self->sorter == NULL ? put_row : sort_value;
    zonda_err err = zn_group_run(self->function, self->task, pull_row, emit, &run, error);
    if (err == ZONDA_OK && self->sorter != NULL) {
        err = zn_sorter_drain(self->sorter, put_sorted, &run, error);
        zn_task_spilled(self->task, zn_sorter_spilled_bytes(self->sorter));
    }
    return err;
}

static zonda_err keep_first(void *context, zn_row_stream *rows,
                            zonda_err (*put)(void *to, zn_bytes key, zn_bytes record,
                                             zonda_error *error),
                            void *to, zonda_error *error) {
    zn_buf *group = &((zn_shuffle_combine *)context)->group;
    zn_row row;
    bool found = true;
    group->len = 0;
    while (true) {
        zonda_err err = rows->next(rows->context, &row, &found, error);
        if (err != ZONDA_OK || !found) {
            return err;
        }
        if (group->len > 0 && row.key.len >= group->len &&
            memcmp(row.key.data, group->data, group->len) == 0) {
            continue;
        }
        group->len = 0;
        zn_buf_append(group, row.key.data, zn_key_first(row.key));
        err = put(to, row.key, row.record, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
}

static bool is_cancelled(void *context) {
    const zn_shuffle_combine *self = context;
    return zonda_task_cancelled(self->task);
}

zonda_err zn_shuffle_combine_open(zn_op *op, zn_shuffle_key *key, bool with_function,
                                  zn_shuffle_combine *combine, zonda_error *error) {
    combine->key = key;
    combine->combiner.context = combine;
    combine->combiner.run = with_function ? call_function : keep_first;
    if (!with_function) {
        return ZONDA_OK;
    }
    if (key->sort_by != NULL) {
        const zn_task_host *host = zn_stage_exec_host(op->stage);
        combine->sorter = zn_sorter_new(&(zn_sorter_options){ .scratch = host->scratch,
                                                              .memory = host->memory,
                                                              .bytes_max = SORTER_BYTES_MAX,
                                                              .sorted = true,
                                                              .cancelled = is_cancelled,
                                                              .cancelled_context = combine });
    }
    return zn_function_bind(op, "combine", ZN_CALL_GROUP, &combine->function, error);
}

void zn_shuffle_combine_close(zn_shuffle_combine *combine) {
    zn_function_unbind(&combine->function);
    zn_sorter_destroy(&combine->sorter);
    zn_buf_free(&combine->group);
    zn_buf_free(&combine->row_key);
}

zonda_err zn_shuffle_combine_begin(zn_shuffle_combine *combine, zonda_task *task,
                                   zonda_error *error) {
    combine->task = task;
    return combine->function == NULL ? ZONDA_OK : zn_function_begin(combine->function, task, error);
}

void zn_shuffle_combine_end(zn_shuffle_combine *combine, zonda_task *task) {
    if (combine->function != NULL) {
        zn_function_end(combine->function, task);
    }
    if (combine->sorter != NULL) {
        zn_sorter_reset(combine->sorter);
    }
}
