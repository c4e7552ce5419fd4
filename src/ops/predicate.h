/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_PREDICATE_H
#define ZN_OPS_PREDICATE_H

#include "base/buf.h"

/* A filter expression in Lua that compares fields with constants, or looks for texts, answered
 * without Lua:
 *
 *   expression = and-terms joined by `or`; and-term = terms joined by `and`
 *   term       = `not` term | ( expression ) | comparison | operand
 *   comparison = field OP constant | constant OP field; OP: == ~= < <= > >=
 *   operand    = field | constant | look-up
 *   look-up    = field:find(TEXT) | field:find(TEXT, 1, true); also with `r` for the field
 *   field      = NAME | r.NAME | r[TEXT]
 *   constant   = nil | true | false | decimal number | TEXT without escapes, in quotes
 *
 * It says what Lua says or that it does not know, which then is for Lua to answer: where Lua would
 * raise an error, and where values meet of which only Lua knows how they compare. */
typedef struct zn_predicate zn_predicate;

typedef enum zn_predicate_answer {
    ZN_PREDICATE_FALSE,
    ZN_PREDICATE_TRUE,
    ZN_PREDICATE_UNSURE,
} zn_predicate_answer;

/* NULL if the text is not of that form. */
zn_predicate *zn_predicate_new(zn_bytes text);
/* NULL-safe, clears the pointer. */
void zn_predicate_destroy(zn_predicate **predicate);

/* The fields that it reads. */
const zn_bytes *zn_predicate_names(const zn_predicate *predicate, size_t *count);

/* Says that a bare `name` which a record does not have is something else than nil. */
void zn_predicate_set_global(zn_predicate *predicate, size_t name);

/* Whether the filter keeps a checked value. */
zn_predicate_answer zn_predicate_ask(zn_predicate *predicate, zn_bytes record);

#endif
