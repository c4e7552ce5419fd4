/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_EACH_TEMPLATE_H
#define ZN_OPS_EACH_TEMPLATE_H

#include "ops/command.h"

/* The words of a command with places for values of a record: {} is the record, {a.b} a field. */
typedef struct zn_template zn_template;

/* With `shell` there is one word, a text for sh; the words that come out then run it by sh -c. */
zn_template *zn_template_new(const zn_words *words, bool shell);
void zn_template_destroy(zn_template **template);

/* Whether the first word, which names the program, is the same for every record. */
bool zn_template_is_fixed(const zn_template *template);

/* Puts the words for one record into `out`, which it clears first. Errors: USER, permanent (a field
 * that is not there, a value with NUL), BAD_RECORD (a value that is no JSON). */
zonda_err zn_template_fill(const zn_template *template, zn_bytes record, zn_words *out,
                           zonda_error *error);

#endif
