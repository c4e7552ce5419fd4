/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SPAWN_H
#define ZN_OPS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* A program to start. Texts are borrowed during the call. */
typedef struct zn_spawn {
    const char *program;      /* path, not looked up */
    char *const *arguments;   /* NULL-terminated; the first is the name */
    char *const *environment; /* NULL-terminated */
    int input;                /* becomes standard input; -1: /dev/null */
    int output;               /* the same for output */
    int errors;               /* the same for errors */
} zn_spawn;

/* Starts it in a process group of its own, without blocked signals, with default handlers, with no
 * other open file. Errors: USER, permanent (no such program, not one, not allowed, too many
 * arguments), IO (this host cannot start a process now). */
zonda_err zn_spawn_start(const zn_spawn *spawn, pid_t *pid, zonda_error *error);

/* A pipe that no program inherits: ends[0] to read, ends[1] to write. Error: IO. */
zonda_err zn_spawn_pipe(int ends[2], zonda_error *error);

/* Closes `*fd` unless it is -1, and makes it -1. */
void zn_spawn_close(int *fd);

/* write(2) to a pipe without the signal that comes when nobody reads; sets errno. */
ssize_t zn_spawn_write(int fd, const void *data, size_t len);

#endif
