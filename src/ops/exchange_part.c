/* SPDX-License-Identifier: MPL-2.0 */
/* Parts of an exchange's table as values and back. Tables are files of this worker, with checksums
 * around these values; what is read is checked all the same, because it opens segments. */
#include "ops/exchange_part.h"

#include "record/key.h"

enum {
    STRETCH_VALUES = 9,
    BORDER_VALUES = 4
};

bool zn_exchange_is_before(zn_exchange_way way, const zn_exchange_border *row,
                           const zn_exchange_border *border) {
    if (way == ZN_EXCHANGE_BYTES) {
        return row->begin < border->begin;
    }
    int order = zn_key_compare(row->key, border->key);
    if (order != 0) {
        return order < 0;
    }
    return row->input != border->input ? row->input < border->input : row->task < border->task;
}

void zn_exchange_stretch_put(zn_buf *out, const zn_exchange_stretch *stretch) {
    zn_put_array(out, STRETCH_VALUES);
    zn_put_uint(out, stretch->input);
    zn_put_uint(out, stretch->task);
    zn_put_uint(out, stretch->attempt);
    zn_put_uint(out, stretch->place);
    zn_put_uint(out, stretch->stretch.offset);
    zn_put_uint(out, stretch->stretch.length);
    zn_put_uint(out, stretch->rows);
    zn_put_uint(out, stretch->bytes);
    zn_put_uint(out, stretch->begin);
}

static void put_border(zn_buf *out, const zn_exchange_border *border) {
    if (!border->set) {
        zn_put_nil(out);
        return;
    }
    zn_put_array(out, BORDER_VALUES);
    zn_put_binary(out, border->key);
    zn_put_uint(out, border->input);
    zn_put_uint(out, border->task);
    zn_put_uint(out, border->begin);
}

void zn_exchange_borders_put(zn_buf *out, const zn_exchange_borders *borders) {
    zn_put_array(out, 2);
    put_border(out, &borders->lower);
    put_border(out, &borders->upper);
}

static bool take_array(zn_cursor *cursor, uint32_t count) {
    if (cursor->at == cursor->end) {
        return false;
    }
    zn_value head = zn_cursor_read(cursor);
    return head.type == ZN_VALUE_ARRAY && head.count == count;
}

static bool take_number(zn_cursor *cursor, uint64_t max, uint64_t *out) {
    zn_value head = zn_cursor_read(cursor);
    if (head.type != ZN_VALUE_INT || head.integer < 0 || (uint64_t)head.integer > max) {
        return false;
    }
    *out = (uint64_t)head.integer;
    return true;
}

static bool take_small(zn_cursor *cursor, uint32_t *out) {
    uint64_t value = 0;
    bool ok = take_number(cursor, UINT32_MAX, &value);
    *out = (uint32_t)value;
    return ok;
}

bool zn_exchange_stretch_take(zn_cursor *cursor, zn_exchange_stretch *out) {
    return take_array(cursor, STRETCH_VALUES) && take_small(cursor, &out->input) &&
           take_small(cursor, &out->task) && take_small(cursor, &out->attempt) &&
           take_small(cursor, &out->place) &&
           take_number(cursor, INT64_MAX, &out->stretch.offset) &&
           take_number(cursor, (uint64_t)INT64_MAX - out->stretch.offset, &out->stretch.length) &&
           take_number(cursor, INT64_MAX, &out->rows) &&
           take_number(cursor, INT64_MAX, &out->bytes) &&
           take_number(cursor, INT64_MAX, &out->begin);
}

static bool take_border(zn_cursor *cursor, zn_exchange_border *out) {
    zn_cursor inside = *cursor;
    *out = (zn_exchange_border){ 0 };
    if (zn_cursor_read(cursor).type == ZN_VALUE_NIL) {
        return true;
    }
    *cursor = inside;
    if (!take_array(cursor, BORDER_VALUES)) {
        return false;
    }
    zn_value key = zn_cursor_read(cursor);
    out->set = true;
    out->key = key.bytes;
    return key.type == ZN_VALUE_BINARY && take_small(cursor, &out->input) &&
           take_small(cursor, &out->task) && take_number(cursor, INT64_MAX, &out->begin);
}

bool zn_exchange_borders_take(zn_cursor *cursor, zn_exchange_borders *out) {
    return take_array(cursor, 2) && take_border(cursor, &out->lower) &&
           take_border(cursor, &out->upper);
}
