/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_VERB_HELP_H
#define ZN_CLI_VERB_HELP_H

#include <stdio.h>

#include "ops/op_table.h"

/* The name of an operator or an argument with `from` replaced by `to`: the table has underscores,
 * the command line dashes. The caller frees it. */
char *zn_verb_spell(const char *name, char from, char to);

/* Appends the word that stands for a value of the argument: "GLOB", "N", "FIELD…"; nothing for an
 * option without a value. */
void zn_verb_word(const zn_arg_def *arg, zn_buf *out);

/* Prints every verb with its arguments, in lines that are short enough for argp to leave alone. */
void zn_verbs_print(FILE *out);

/* A help filter of argp that puts the verbs before the examples. argp frees what differs from
 * `text`. */
char *zn_verbs_help_filter(int key, const char *text, void *input);

/* Appends a MessagePack list of all operators that a user may write, with their arguments. */
void zn_verbs_describe(zn_buf *out);

#endif
