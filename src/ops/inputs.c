/* SPDX-License-Identifier: MPL-2.0 */
/* What differs per task lies in one blob, a MessagePack array that may have millions of items. It
 * is walked once when the stage opens; every STRIDE-th offset is kept, so finding the item of a
 * shard skips at most STRIDE - 1 items, and ten million items cost 1.25 MB per slot. Shards mostly
 * come one after another, so the item that was found last is where most searches begin. */
#include "ops/inputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "wire/shape.h"

enum {
    STRIDE = 64
};

struct zn_inputs {
    zn_bytes blob;
    size_t *offsets; /* of items 0, STRIDE, 2 * STRIDE, … */
    uint64_t last;   /* the item that was found last, */
    size_t last_offset;
};

static zonda_err fetch(zn_op *op, zn_bytes *out, zonda_error *error) {
    zn_bytes value;
    zn_digest digest;
    if (!zn_value_field(op->args, zn_bytes_of_text("inputs"), &value) ||
        zn_value_head(value).type != ZN_VALUE_BINARY ||
        !zn_digest_from_bytes(zn_value_head(value).bytes, &digest)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no digest of its inputs", op->def->name);
    }
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    return host->blob(host->context, digest, out, error);
}

/* Bytes of the head of the array that the blob must be, 0 if it is something else. */
static size_t read_head(zn_bytes blob, uint64_t *count) {
    uint8_t first = blob.len == 0 ? 0 : blob.data[0];
    size_t bytes = (first & 0xf0) == 0x90 ? 1 : first == 0xdc ? 3 : first == 0xdd ? 5 : 0;
    if (bytes == 0 || blob.len < bytes) {
        return 0;
    }
    *count = bytes == 1 ? first & 0x0f : 0;
    for (size_t i = 1; i < bytes; i++) {
        *count = *count << 8 | blob.data[i];
    }
    return bytes;
}

/* The blob comes from outside and is larger than a record may be; its items must not be. */
static zonda_err build_index(zn_op *op, zn_inputs *inputs, size_t at, uint64_t count,
                             zonda_error *error) {
    zn_bytes blob = inputs->blob;
    inputs->offsets = zn_calloc((size_t)(count / STRIDE + 1), sizeof *inputs->offsets);
    for (uint64_t i = 0; i < count; i++) {
        if (i % STRIDE == 0) {
            inputs->offsets[i / STRIDE] = at;
        }
        size_t used = 0;
        zn_bytes rest = { .data = blob.data + at, .len = blob.len - at };
        if (zn_shape_check(rest, ZN_RECORD_DEPTH_MAX, &used, NULL) != ZONDA_OK ||
            used > ZN_RECORD_BYTES_MAX) {
            return zn_error_set(error, ZONDA_ERR_PLAN, "input %" PRIu64 " of %s is no valid record",
                                i, op->def->name);
        }
        at += used;
    }
    if (at != blob.len) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%zu bytes follow after the inputs of %s",
                            blob.len - at, op->def->name);
    }
    return ZONDA_OK;
}

zn_inputs *zn_inputs_open(zn_op *op, zonda_error *error) {
    zn_bytes blob = { 0 };
    if (fetch(op, &blob, error) != ZONDA_OK) {
        return NULL;
    }
    uint64_t count = 0;
    uint64_t shards = op->shard_count;
    size_t start = read_head(blob, &count);
    if (start == 0) {
        zn_error_set(error, ZONDA_ERR_PLAN, "the inputs of %s must be one array", op->def->name);
        return NULL;
    }
    if (count != shards) {
        zn_error_set(error, ZONDA_ERR_PLAN, "%s has %" PRIu64 " inputs for %" PRIu64 " shards",
                     op->def->name, count, shards);
        return NULL;
    }
    zn_inputs *inputs = ZN_NEW(zn_inputs);
    inputs->blob = blob;
    inputs->last_offset = start;
    if (build_index(op, inputs, start, count, error) != ZONDA_OK) {
        zn_inputs_destroy(&inputs);
    }
    return inputs;
}

void zn_inputs_destroy(zn_inputs **inputs) {
    if (*inputs == NULL) {
        return;
    }
    free((*inputs)->offsets);
    free(*inputs);
    *inputs = NULL;
}

zn_bytes zn_inputs_item(zn_inputs *inputs, uint64_t shard) {
    bool is_ahead = inputs->last <= shard && inputs->last / STRIDE == shard / STRIDE;
    uint64_t at = is_ahead ? inputs->last : shard - shard % STRIDE;
    size_t offset = is_ahead ? inputs->last_offset : inputs->offsets[shard / STRIDE];
    zn_cursor cursor = zn_cursor_of(
        (zn_bytes){ .data = inputs->blob.data + offset, .len = inputs->blob.len - offset });
    for (; at < shard; at++) {
        zn_cursor_skip(&cursor);
    }
    zn_bytes item = zn_cursor_skip(&cursor);
    inputs->last = shard;
    inputs->last_offset = (size_t)(item.data - inputs->blob.data);
    return item;
}

static zonda_err take_path(zn_value head, uint64_t shard, zn_buf *out, zonda_error *error) {
    if (head.type != ZN_VALUE_STRING || head.bytes.len == 0 || head.bytes.len > ZN_PATH_BYTES_MAX ||
        memchr(head.bytes.data, '\0', head.bytes.len) != NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "input %" PRIu64 " is not a path", shard);
    }
    out->len = 0;
    zn_buf_append(out, head.bytes.data, head.bytes.len);
    zn_buf_append_byte(out, '\0');
    return ZONDA_OK;
}

zonda_err zn_inputs_path(zn_inputs *inputs, uint64_t shard, zn_buf *out, zonda_error *error) {
    return take_path(zn_value_head(zn_inputs_item(inputs, shard)), shard, out, error);
}

zonda_err zn_inputs_range(zn_inputs *inputs, uint64_t shard, zn_buf *out, zn_file_range *range,
                          zonda_error *error) {
    zn_bytes item = zn_inputs_item(inputs, shard);
    zn_bytes path;
    zn_file_range found = { 0 };
    if (!zn_value_field(item, zn_bytes_of_text("path"), &path)) {
        path = item;
    } else if (!zn_value_field_uint(item, "offset", &found.offset) ||
               !zn_value_field_uint(item, "length", &found.length) ||
               !zn_value_field_bool(item, "aligned", &found.aligned)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "input %" PRIu64 " is not a part of a file",
                            shard);
    }
    zonda_err err = take_path(zn_value_head(path), shard, out, error);
    if (err == ZONDA_OK) {
        *range = found;
    }
    return err;
}
