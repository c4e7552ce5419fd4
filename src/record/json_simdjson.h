/* SPDX-License-Identifier: MPL-2.0 */
/* The border to the only C++ file: JSON parsing by simdjson (https://simdjson.org) and the number
 * conversions of the C++ library, which know no locale. Nothing here throws. */
#ifndef ZN_RECORD_JSON_SIMDJSON_H
#define ZN_RECORD_JSON_SIMDJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/json.h"

typedef struct zn_simdjson zn_simdjson;
zn_simdjson *zn_simdjson_new(void);
void zn_simdjson_destroy(zn_simdjson **parser);

typedef enum zn_simdjson_result {
    ZN_SIMDJSON_OK,
    ZN_SIMDJSON_REJECTED,  /* not JSON, or nested deeper than ZN_RECORD_DEPTH_MAX */
    ZN_SIMDJSON_NO_MEMORY, /* for the parser's tables, about 14 bytes per byte of text */
} zn_simdjson_result;

/* Appends the MessagePack form of one JSON text of at most ZN_RECORD_BYTES_MAX bytes; of a map only
 * the fields in `names`, unless that is NULL. `padded` says that ZN_JSON_PADDING bytes behind the
 * text can be read. If the result is not OK, `out` has undefined bytes behind its old length;
 * `reason` gets a constant text. */
zn_simdjson_result zn_simdjson_convert(zn_simdjson *parser, zn_bytes text, bool padded,
                                       const zn_json_names *names, zn_buf *out,
                                       const char **reason);

/* False if a JSON number with a fraction or an exponent is too large, or too small, for a double.
 */
bool zn_simdjson_in_range(zn_bytes number);

#endif
