/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_SHAPE_H
#define ZN_WIRE_SHAPE_H

#include "base/buf.h"
#include "base/error.h"

/* Checks that `bytes` starts with one whole MessagePack value, nested at most `depth_max`, whose
 * declared counts and lengths fit into the bytes that are there. Only then may msgpack-c see it
 * (it allocates from declared counts). Sets `*used` to the bytes of the value. Does not recurse,
 * allocates nothing. Errors: PROTOCOL (truncated, reserved byte 0xc1), LIMIT (depth).
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md */
zonda_err zn_shape_check(zn_bytes bytes, unsigned depth_max, size_t *used, zonda_error *error);

/* The same, and refuses more than `values_max` values (LIMIT): msgpack-c makes an object of 24
 * bytes of each, so one byte on the wire may cost 24 in memory. */
zonda_err zn_shape_check_values(zn_bytes bytes, unsigned depth_max, size_t values_max, size_t *used,
                                zonda_error *error);

/* By first byte: the bytes of a value that is as long as that byte says and has no values in it; 0
 * for all others. */
extern const uint8_t zn_shape_plain_bytes[256];

/* What the head of one value says: its own bytes, the payload after it, the values in it. */
typedef struct zn_shape_head {
    size_t bytes;
    uint64_t payload;
    uint64_t values;
    bool container;
} zn_shape_head;

/* Reads the head at `at`, which is inside `bytes`; false if it is cut off or reserved (0xc1). For
 * those who find the ends of values that are not whole yet. */
bool zn_shape_read_head(zn_bytes bytes, size_t at, zn_shape_head *out);

#endif
