/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_COMMAND_H
#define ZN_OPS_COMMAND_H

#include "base/buf.h"
#include "base/error.h"
#include "ops/op.h"
#include "ops/subprocess.h"

/* Words of a command, each owned. All zero is none. */
typedef struct zn_words {
    char **items; /* NULL-terminated once there is one */
    size_t count;
    size_t capacity;
} zn_words;

void zn_words_add(zn_words *words, zn_bytes word);
void zn_words_clear(zn_words *words);
void zn_words_free(zn_words *words);

/* The argument "cmd" of `args` as words: a text is split as a shell would do it (quotes and
 * backslashes, nothing else), a list is taken as it is, with "shell" the text is one word.
 * Errors: PLAN (quote without end, no word, several words for a shell). */
zonda_err zn_command_words(const char *op, zn_bytes args, zn_words *out, zonda_error *error);

/* Whether the argument "shell" is true. */
bool zn_command_has_shell(zn_bytes args);

/* The path of the program `name`: with a slash itself, else found in PATH; the caller frees.
 * Error: USER, permanent, saying where it was looked for. */
zonda_err zn_command_find(const char *name, char **path, zonda_error *error);

/* What a command of this task sees: the environment of this process, ZONDA_SHARD, ZONDA_SHARDS. */
void zn_command_environment(const zn_op *op, const zonda_task *task, zn_words *out);

/* Fills `error` with how `name` ended, if not with status `wanted`: USER, with the last of what it
 * wrote to its errors. IO if the status was lost. Only when it is over. */
zonda_err zn_command_check_end(const char *name, const zn_subprocess *process, int wanted,
                               zonda_error *error);

/* "SIGSEGV"; `out` has the room. */
#define ZN_SIGNAL_NAME_BYTES 24
const char *zn_command_signal_name(int number, char out[ZN_SIGNAL_NAME_BYTES]);

#endif
