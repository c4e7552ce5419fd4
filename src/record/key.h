/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RECORD_KEY_H
#define ZN_RECORD_KEY_H

#include <string.h>

#include "base/buf.h"
#include "base/error.h"

/* Keys: values as bytes whose order under memcmp is the order of values, nil < false < true <
 * numbers < strings < binary < arrays < maps. Numbers of all kinds are one: 1 equals 1.0, -0.0
 * equals 0, integers beyond 2^53 and doubles are compared exactly. Maps with the same fields are
 * equal whatever the order of the fields. An encoding is a prefix of no other one (and of no other
 * one's inverse), so encodings may be concatenated: the first decides, then the next. */

/* Appends the encoding of a checked value. Errors: BAD_RECORD (NaN or an extension type anywhere in
 * it). Nothing is appended on failure. */
zonda_err zn_key_put(zn_buf *out, zn_bytes value, zonda_error *error);

/* Inverts bytes of an encoding, for descending order. Twice is the identity. */
void zn_key_invert(uint8_t *bytes, size_t len);

/* Bytes of the first (not inverted) encoding in `key`; 0 if it is no encoding. */
size_t zn_key_first(zn_bytes key);

/* Appends the value of the first (not inverted) encoding in `key`: whole numbers within 64 bits as
 * integers, others as doubles; maps with their fields in key order. Errors: CORRUPT. */
zonda_err zn_key_value(zn_bytes key, zn_buf *out, zonda_error *error);

/* Whether it is nil, or an array with nil as an element: a key that joins with nothing. */
bool zn_key_has_nil(zn_bytes key);

/* < 0, 0, > 0. A shorter one comes first if it is a prefix. */
static inline int zn_key_compare(zn_bytes a, zn_bytes b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The partition, of `count`, of a key: the same everywhere and for ever. XXH3-64, scaled by the
 * upper half of the product (Lemire 2016, "Fast alternative to the modulo reduction"). */
uint32_t zn_key_partition(zn_bytes key, uint32_t count);

#endif
