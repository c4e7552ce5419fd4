/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_VERB_INPUTS_H
#define ZN_CLI_VERB_INPUTS_H

#include "ops/op_table.h"

/* The words of a verb on several datasets, `VERB GLOB… OPTION…`. Options may be the verb's or those
 * of read, which reads each pattern. */
typedef struct zn_verb_inputs {
    char **own; /* the verb and its options */
    size_t own_count;
    char **reading; /* read, room for a pattern, options */
    size_t reading_count;
    char **globs;
    size_t glob_count;
} zn_verb_inputs;

/* Sorts the words, which are borrowed; the first is the verb. Error: PLAN (an option of neither).
 * The owner frees with zn_verb_inputs_free. */
zonda_err zn_verb_inputs_split(const zn_op_def *op, char *const *words, size_t count,
                               zn_verb_inputs *out, zonda_error *error);
void zn_verb_inputs_free(zn_verb_inputs *inputs);

/* The argument that the word of an option (behind "--", up to its end or "=") names; NULL: none. */
const zn_arg_def *zn_verb_option(const zn_op_def *op, const char *word);

/* Error PLAN: lists the options of `op`, and of `other` unless it is NULL. */
zonda_err zn_verb_fail_unknown(const zn_op_def *op, const zn_op_def *other, const char *word,
                               zonda_error *error);

#endif
