/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_PACK_H
#define ZN_WIRE_PACK_H

#include "base/buf.h"

/* Appending values. Counts of arrays and maps come first, then their elements. Integers and lengths
 * take the shortest form, so equal values have equal bytes. */
void zn_put_nil(zn_buf *out);
void zn_put_bool(zn_buf *out, bool value);
void zn_put_int(zn_buf *out, int64_t value);
void zn_put_uint(zn_buf *out, uint64_t value);
void zn_put_double(zn_buf *out, double value);
void zn_put_string(zn_buf *out, zn_bytes text);
void zn_put_text(zn_buf *out, const char *text);
void zn_put_binary(zn_buf *out, zn_bytes bytes);
void zn_put_array(zn_buf *out, uint32_t count);
void zn_put_map(zn_buf *out, uint32_t pairs);

/* What stands before the bytes of a string or binary, for those who append these themselves. */
void zn_put_string_head(zn_buf *out, size_t len);
void zn_put_binary_head(zn_buf *out, size_t len);

#endif
