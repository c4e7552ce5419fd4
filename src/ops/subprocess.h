/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SUBPROCESS_H
#define ZN_OPS_SUBPROCESS_H

#include "base/buf.h"
#include "ops/guard.h"

/* A command that runs: its streams, its end, the end of its process group. One thread. */
typedef struct zn_subprocess zn_subprocess;

typedef struct zn_subprocess_options {
    const char *program; /* texts are borrowed during the start */
    char *const *arguments;
    char *const *environment;
    zn_guard *guard;   /* borrowed for life */
    bool has_input;    /* else its input is /dev/null */
    size_t output_max; /* what is kept of the output; SIZE_MAX: all, the caller takes it away */
    size_t errors_max; /* what is kept of the errors */
    bool keep_last;    /* of the errors; else the first */
} zn_subprocess_options;

/* Errors as zn_spawn_start. NULL on failure. */
zn_subprocess *zn_subprocess_start(const zn_subprocess_options *options, zonda_error *error);

/* Ends the whole group: asks by SIGTERM, kills after a second. NULL-safe, clears the pointer. */
void zn_subprocess_destroy(zn_subprocess **process);

/* Moves bytes in all directions, once; if there is nothing to move waits up to 20 ms (`wait`), or
 * not at all. Never waits for one stream alone, so the command may read and write as it likes. */
void zn_subprocess_step(zn_subprocess *process, bool wait);

/* Whether the command takes input: false once it has closed it, or has ended. */
bool zn_subprocess_reads(const zn_subprocess *process);

/* Queues input, which is dropped if the command does not take any. */
void zn_subprocess_put(zn_subprocess *process, zn_bytes input);

/* Queued bytes that are not written yet. */
size_t zn_subprocess_queued(const zn_subprocess *process);

/* The input ends when all that is queued is written. */
void zn_subprocess_end_input(zn_subprocess *process);

/* What came and was kept. The caller may take bytes away from the front of the output. */
zn_buf *zn_subprocess_output(zn_subprocess *process);
const zn_buf *zn_subprocess_errors(const zn_subprocess *process);
bool zn_subprocess_is_cut(const zn_subprocess *process); /* more came than was kept */

/* Whether the command has ended, all that it wrote has come, and its group is gone. A child that it
 * leaves behind with the streams open is given half a second after the command's own end. */
bool zn_subprocess_is_over(const zn_subprocess *process);

typedef struct zn_subprocess_end {
    int status;           /* of its exit; 128 + signal */
    int signal;           /* 0: it exited */
    bool is_lost;         /* this process ignores SIGCHLD, or another part of it took the status */
    uint64_t nanoseconds; /* from the start to the end of the command */
} zn_subprocess_end;

/* Only when it is over. */
const zn_subprocess_end *zn_subprocess_ended(const zn_subprocess *process);

#endif
