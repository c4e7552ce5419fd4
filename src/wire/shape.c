/* SPDX-License-Identifier: MPL-2.0 */
/* One pass over MessagePack bytes that believes nothing. A parser that allocates from declared
 * counts must not see bytes that this pass has not accepted: every length must fit into what is
 * left, and every container needs at least one byte for each of its elements, so the number of
 * values that are still to come never exceeds the bytes that are left. There is no recursion: a
 * small stack holds how many values each open container still wants.
 * Called for messages here and for records in the layer above. */
#include "wire/shape.h"

#include "base/assert.h"
#include "base/limits.h"

enum {
    STACK_DEPTH =
        ZN_RECORD_DEPTH_MAX > ZN_MESSAGE_DEPTH_MAX ? ZN_RECORD_DEPTH_MAX : ZN_MESSAGE_DEPTH_MAX
};

static uint64_t read_big_endian(const uint8_t *data, size_t len) {
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

/* Types 0xc0 … 0xdf: how many bytes of length follow the type byte, what is fixed in the payload,
 * and how many values one counted element stands for (0: the length is payload). */
typedef struct value_form {
    uint8_t length_bytes;
    uint8_t fixed;
    uint8_t values_each;
    bool reserved;
} value_form;

static const value_form forms[32] = {
    [0x00] = { 0, 0, 0, false }, /* nil */
    [0x01] = { 0, 0, 0, true },  /* never used */
    [0x02] = { 0, 0, 0, false }, /* false */
    [0x03] = { 0, 0, 0, false }, /* true */
    [0x04] = { 1, 0, 0, false }, /* bin 8, 16, 32 */
    [0x05] = { 2, 0, 0, false },
    [0x06] = { 4, 0, 0, false },
    [0x07] = { 1, 1, 0, false }, /* ext 8, 16, 32: one byte of type more */
    [0x08] = { 2, 1, 0, false },
    [0x09] = { 4, 1, 0, false },
    [0x0a] = { 0, 4, 0, false }, /* float 32, 64 */
    [0x0b] = { 0, 8, 0, false },
    [0x0c] = { 0, 1, 0, false }, /* uint 8 … 64 */
    [0x0d] = { 0, 2, 0, false },
    [0x0e] = { 0, 4, 0, false },
    [0x0f] = { 0, 8, 0, false },
    [0x10] = { 0, 1, 0, false }, /* int 8 … 64 */
    [0x11] = { 0, 2, 0, false },
    [0x12] = { 0, 4, 0, false },
    [0x13] = { 0, 8, 0, false },
    [0x14] = { 0, 2, 0, false }, /* fixext 1, 2, 4, 8, 16: one byte of type more */
    [0x15] = { 0, 3, 0, false },
    [0x16] = { 0, 5, 0, false },
    [0x17] = { 0, 9, 0, false },
    [0x18] = { 0, 17, 0, false },
    [0x19] = { 1, 0, 0, false }, /* str 8, 16, 32 */
    [0x1a] = { 2, 0, 0, false },
    [0x1b] = { 4, 0, 0, false },
    [0x1c] = { 2, 0, 1, false }, /* array 16, 32 */
    [0x1d] = { 4, 0, 1, false },
    [0x1e] = { 2, 0, 2, false }, /* map 16, 32 */
    [0x1f] = { 4, 0, 2, false },
};

bool zn_shape_read_head(zn_bytes bytes, size_t at, zn_shape_head *out) {
    uint8_t type = bytes.data[at];
    if (type <= 0x7f || type >= 0xe0) {
        *out = (zn_shape_head){ .bytes = 1 };
        return true;
    }
    if (type <= 0x8f) {
        *out =
            (zn_shape_head){ .bytes = 1, .values = 2 * (uint64_t)(type & 0x0f), .container = true };
        return true;
    }
    if (type <= 0x9f) {
        *out = (zn_shape_head){ .bytes = 1, .values = type & 0x0f, .container = true };
        return true;
    }
    if (type <= 0xbf) {
        *out = (zn_shape_head){ .bytes = 1, .payload = type & 0x1f };
        return true;
    }
    const value_form *form = &forms[type & 0x1f];
    if (form->reserved || bytes.len - at - 1 < form->length_bytes) {
        return false;
    }
    uint64_t length = read_big_endian(bytes.data + at + 1, form->length_bytes);
    *out = (zn_shape_head){ .bytes = 1 + (size_t)form->length_bytes };
    if (form->values_each > 0) {
        out->values = length * form->values_each;
        out->container = true;
    } else {
        out->payload = length + form->fixed;
    }
    return true;
}

zonda_err zn_shape_check_values(zn_bytes bytes, unsigned depth_max, size_t values_max, size_t *used,
                                zonda_error *error) {
    uint64_t wanted[STACK_DEPTH];
    size_t depth = 0;
    size_t at = 0;
    size_t values = 0;
    ZN_ASSERT(depth_max <= STACK_DEPTH);
    do {
        zn_shape_head head;
        if (at >= bytes.len || !zn_shape_read_head(bytes, at, &head)) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL, "MessagePack %s at byte %zu of %zu",
                                at < bytes.len && bytes.data[at] == 0xc1 ? "has the reserved type"
                                                                         : "ends",
                                at, bytes.len);
        }
        size_t left = bytes.len - at - head.bytes;
        if (head.payload > left || head.values > left) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "MessagePack value at byte %zu claims more than the %zu bytes "
                                "that follow",
                                at, left);
        }
        if (++values > values_max) {
            return zn_error_set(error, ZONDA_ERR_LIMIT, "MessagePack has more than %zu values",
                                values_max);
        }
        at += head.bytes + (size_t)head.payload;
        if (depth > 0) {
            wanted[depth - 1]--;
        }
        if (head.container) {
            if (depth == depth_max) {
                return zn_error_set(error, ZONDA_ERR_LIMIT,
                                    "MessagePack is nested deeper than %u at byte %zu", depth_max,
                                    at);
            }
            wanted[depth++] = head.values;
        }
        while (depth > 0 && wanted[depth - 1] == 0) {
            depth--;
        }
    } while (depth > 0);
    *used = at;
    return ZONDA_OK;
}

zonda_err zn_shape_check(zn_bytes bytes, unsigned depth_max, size_t *used, zonda_error *error) {
    return zn_shape_check_values(bytes, depth_max, SIZE_MAX, used, error);
}
