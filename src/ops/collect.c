/* SPDX-License-Identifier: MPL-2.0 */
/* The end of every chain. A small result stays in a buffer and travels inside the outcome; once it
 * outgrows ZN_INLINE_BYTES_MAX it moves to the stage's segment, of which the file is made only
 * then. The end of a shuffle writes to the segment itself and leaves a result with an index. One
 * segment serves all tasks that this slot runs of the stage; a result that was begun and
 * not finished is cut off by the segment at the next start. */
#include "ops/collect.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "record/value.h"
#include "store/segment.h"

typedef struct collector {
    zn_buf records; /* while the result is inline */
    zn_segment *segment;
    bool spilled; /* the records are in the segment */
    bool indexed; /* the result is in the segment, with an index */
    zn_part parts[ZN_OUTCOME_PARTS_MAX];
    size_t part_count;
    uint64_t bytes;
    uint64_t offset;
    uint64_t length;
} collector;

static zonda_err open_collector(zn_op *op, zonda_error *error) {
    (void)error;
    op->state = ZN_NEW(collector);
    return ZONDA_OK;
}

static void close_collector(zn_op *op) {
    collector *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_segment_destroy(&self->segment);
    zn_buf_free(&self->records);
    free(self);
    op->state = NULL;
}

static zonda_err begin_result(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    (void)error;
    collector *self = op->state;
    zn_buf_reset(&self->records, ZN_INLINE_BYTES_MAX);
    self->spilled = false;
    self->indexed = false;
    self->bytes = 0;
    self->part_count = 0;
    return ZONDA_OK;
}

zn_segment *zn_collect_segment(zn_op *op) {
    collector *self = op->state;
    if (self->segment == NULL) {
        const zn_task_host *host = zn_stage_exec_host(op->stage);
        self->segment = zn_segment_new(host->scratch, zn_stage_exec_job(op->stage),
                                       zn_stage_exec_stage(op->stage), host->owner);
    }
    return self->segment;
}

/* Moves what is there to the segment. */
static zonda_err spill(zn_op *op, collector *self, zonda_error *error) {
    zn_segment *segment = zn_collect_segment(op);
    zonda_err err = zn_segment_start(segment, error);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&self->records));
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = zn_segment_add(segment, zn_cursor_skip(&cursor), error);
    }
    zn_buf_reset(&self->records, ZN_INLINE_BYTES_MAX);
    self->spilled = err == ZONDA_OK;
    return err;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    collector *self = op->state;
    task->records_out++;
    self->bytes += record.len;
    if (!self->spilled && self->bytes <= ZN_INLINE_BYTES_MAX) {
        zn_buf_append(&self->records, record.data, record.len);
        return ZONDA_OK;
    }
    zonda_err err = self->spilled ? ZONDA_OK : spill(op, self, error);
    if (err == ZONDA_OK) {
        int before = zn_profile_enter_record(ZN_SECTION_ENCODING);
        err = zn_segment_add(self->segment, record, error);
        zn_profile_leave_record(before);
    }
    return err;
}

zonda_err zn_collect_finish_indexed(zn_op *op, zonda_task *task, bool with_parts,
                                    zonda_error *error) {
    collector *self = op->state;
    zn_segment_totals totals = { 0 };
    zonda_err err =
        zn_segment_finish_indexed(self->segment, &self->offset, &self->length, &totals, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->indexed = self->length > 0;
    self->bytes = totals.bytes;
    task->records_out += totals.rows;
    uint32_t partitions[ZN_OUTCOME_PARTS_MAX];
    uint64_t bytes[ZN_OUTCOME_PARTS_MAX];
    if (with_parts) {
        self->part_count =
            zn_segment_largest(self->segment, partitions, bytes, ZN_OUTCOME_PARTS_MAX);
    }
    for (size_t i = 0; i < self->part_count; i++) {
        self->parts[i] = (zn_part){ .partition = partitions[i], .bytes = bytes[i] };
    }
    return ZONDA_OK;
}

size_t zn_collect_parts(const zn_op *op, const zn_part **parts) {
    const collector *self = op->state;
    *parts = self->parts;
    return self->part_count;
}

static zonda_err end_result(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    collector *self = op->state;
    if (!self->spilled) {
        return ZONDA_OK;
    }
    return zn_segment_finish(self->segment, &self->offset, &self->length, error);
}

static void abort_result(zn_op *op, zonda_task *task) {
    (void)task;
    collector *self = op->state;
    if (self->segment != NULL) {
        zn_segment_abandon(self->segment);
    }
}

bool zn_collect_result(const zn_op *op, zn_bytes *records, zn_reference *reference) {
    const collector *self = op->state;
    if (!self->spilled && !self->indexed) {
        *records = zn_buf_bytes(&self->records);
        return false;
    }
    *reference = (zn_reference){ .segment = zn_bytes_of_text(zn_segment_name(self->segment)),
                                 .offset = self->offset,
                                 .length = self->length };
    return true;
}

uint64_t zn_collect_bytes(const zn_op *op) {
    const collector *self = op->state;
    return self->bytes;
}

static const zn_op_runtime run_collect = {
    .open = open_collector,
    .close = close_collector,
    .begin = begin_result,
    .push = push_record,
    .end = end_result,
    .abort = abort_result,
};

const zn_op_def zn_op_collect = {
    .name = "collect",
    .op_class = ZN_OP_INNER,
    .runtime = &run_collect,
    .doc = "keeps the result of a task",
};
