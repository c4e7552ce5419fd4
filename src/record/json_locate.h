/* SPDX-License-Identifier: MPL-2.0 */
/* Finds what is wrong with a JSON text, for people. */
#ifndef ZN_RECORD_JSON_LOCATE_H
#define ZN_RECORD_JSON_LOCATE_H

#include "base/buf.h"
#include "base/error.h"

/* Scans one JSON text and fills `error` with the first cause and its column. Returns BAD_RECORD or
 * LIMIT (depth), or OK, with `error` untouched, if the text is what zn_json_read accepts. */
zonda_err zn_json_locate(zn_bytes text, zonda_error *error);

#endif
