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

#define ONES_16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define NONE_16 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0

const uint8_t zn_shape_plain_bytes[256] = {
    ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, /* 0x00 */
    NONE_16, NONE_16,                                                       /* 0x80 */
    1,       2,       3,       4,       5,       6,       7,       8,       /* 0xa0 */
    9,       10,      11,      12,      13,      14,      15,      16,      /* 0xa8 */
    17,      18,      19,      20,      21,      22,      23,      24,      /* 0xb0 */
    25,      26,      27,      28,      29,      30,      31,      32,      /* 0xb8 */
    1,       0,       1,       1,       0,       0,       0,       0,       /* 0xc0 */
    0,       0,       5,       9,       2,       3,       5,       9,       /* 0xc8 */
    2,       3,       5,       9,       3,       4,       6,       10,      /* 0xd0 */
    18,      0,       0,       0,       0,       0,       0,       0,       /* 0xd8 */
    ONES_16, ONES_16,                                                       /* 0xe0 */
};

/* The head of a small map or array, the most frequent of containers. */
static inline bool read_small_container(uint8_t type, zn_shape_head *out) {
    if ((type & 0xe0) != 0x80) {
        return false;
    }
    uint64_t count = type & 0x0f;
    *out =
        (zn_shape_head){ .bytes = 1, .values = type < 0x90 ? 2 * count : count, .container = true };
    return true;
}

bool zn_shape_read_head(zn_bytes bytes, size_t at, zn_shape_head *out) {
    uint8_t type = bytes.data[at];
    if (type <= 0x7f || type >= 0xe0) {
        *out = (zn_shape_head){ .bytes = 1 };
        return true;
    }
    if (read_small_container(type, out)) {
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

static zonda_err refuse_head(zn_bytes bytes, size_t at, zonda_error *error) {
    bool reserved = at < bytes.len && bytes.data[at] == 0xc1;
    return zn_error_set(error, ZONDA_ERR_PROTOCOL, "MessagePack %s at byte %zu of %zu",
                        reserved ? "has the reserved type" : "ends", at, bytes.len);
}

/* Reads the head at `at` and checks that what it claims can be there. */
static zonda_err check_head(zn_bytes bytes, size_t at, zn_shape_head *head, zonda_error *error) {
    if (at >= bytes.len ||
        !(read_small_container(bytes.data[at], head) || zn_shape_read_head(bytes, at, head))) {
        return refuse_head(bytes, at, error);
    }
    size_t left = bytes.len - at - head->bytes;
    if (head->payload > left || head->values > left) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "MessagePack value at byte %zu claims more than the %zu bytes "
                            "that follow",
                            at, left);
    }
    return ZONDA_OK;
}

/* The bytes of the plain value that is at `at` as a whole, as most are; 0 if there is none. */
static inline size_t plain_bytes(zn_bytes bytes, size_t at) {
    size_t plain = at < bytes.len ? zn_shape_plain_bytes[bytes.data[at]] : 0;
    return plain <= bytes.len - at ? plain : 0;
}

zonda_err zn_shape_check_values(zn_bytes bytes, unsigned depth_max, size_t values_max, size_t *used,
                                zonda_error *error) {
    uint64_t outer[STACK_DEPTH]; /* wanted by the containers around the one at hand */
    uint64_t wanted = 1;         /* by that one */
    size_t depth = 0;
    size_t at = 0;
    ZN_ASSERT(depth_max <= STACK_DEPTH);
    for (size_t values = 0; wanted > 0; values++) {
        if (values == values_max) {
            return zn_error_set(error, ZONDA_ERR_LIMIT, "MessagePack has more than %zu values",
                                values_max);
        }
        wanted--;
        size_t plain = plain_bytes(bytes, at);
        at += plain;
        if (plain == 0) {
            zn_shape_head head;
            zonda_err code = check_head(bytes, at, &head, error);
            if (code != ZONDA_OK) {
                return code;
            }
            at += head.bytes + (size_t)head.payload;
            if (head.container && depth == depth_max) {
                return zn_error_set(error, ZONDA_ERR_LIMIT,
                                    "MessagePack is nested deeper than %u at byte %zu", depth_max,
                                    at);
            }
            if (head.container) {
                outer[depth++] = wanted;
                wanted = head.values;
            }
        }
        while (wanted == 0 && depth > 0) {
            wanted = outer[--depth];
        }
    }
    *used = at;
    return ZONDA_OK;
}

zonda_err zn_shape_check(zn_bytes bytes, unsigned depth_max, size_t *used, zonda_error *error) {
    return zn_shape_check_values(bytes, depth_max, SIZE_MAX, used, error);
}
