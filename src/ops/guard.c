/* SPDX-License-Identifier: MPL-2.0 */
/* A command must not outlive the process that runs it, even if that one is killed by SIGKILL and
 * can do nothing. A guardian process waits on a pipe that only this process holds open: each line
 * names the group that runs now, 0 for none, and the end of the pipe is the death of this process;
 * then the guardian kills the group that was named last. It has a group of its own, so that a kill
 * of the slot's group spares it. PR_SET_PDEATHSIG would reach the command but not its children.
 *
 * The guardian is a few lines for sh, because the library has no program of its own in the process
 * that embeds it. The text is fixed; nothing of the user's is put into it. Between the start of a
 * command and the line that names it there are some microseconds in which a SIGKILL to this process
 * leaves the command running. Owned by one operator of a stage, which runs one command at a time.
 */
#include "ops/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "ops/spawn.h"

#define SHELL "/bin/sh"

struct zn_guard {
    pid_t pid; /* 0: there is none */
    int fd;
};

static zonda_err start(zn_guard *guard, zonda_error *error) {
    char name[] = "zonda-guard";
    char option[] = "-c";
    char text[] = "trap '' HUP INT TERM; group=0; while read -r line; do group=$line; done; "
                  "[ \"$group\" = 0 ] || kill -s KILL -- \"-$group\"";
    char *arguments[] = { name, option, text, NULL };
    char *environment[] = { NULL };
    int ends[2];
    zonda_err err = zn_spawn_pipe(ends, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_spawn spawn = { .program = SHELL,
                       .arguments = arguments,
                       .environment = environment,
                       .input = ends[0],
                       .output = -1,
                       .errors = -1 };
    pid_t pid = 0;
    err = zn_spawn_start(&spawn, &pid, error);
    zn_spawn_close(&ends[0]);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "the guardian of commands: ");
        zn_spawn_close(&ends[1]);
        return err;
    }
    guard->pid = pid;
    guard->fd = ends[1];
    return ZONDA_OK;
}

/* Killed before its pipe closes, so that it does not act. */
static void stop(zn_guard *guard) {
    if (guard->pid != 0) {
        kill(guard->pid, SIGKILL);
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        guard->pid = 0;
    }
    zn_spawn_close(&guard->fd);
}

zn_guard *zn_guard_new(zonda_error *error) {
    zn_guard *guard = ZN_NEW(zn_guard);
    guard->fd = -1;
    if (start(guard, error) != ZONDA_OK) {
        zn_guard_destroy(&guard);
    }
    return guard;
}

/* A line is shorter than what a pipe takes as a whole. */
static bool name_group(const zn_guard *guard, pid_t group) {
    char line[24];
    int length = snprintf(line, sizeof line, "%ld\n", (long)group);
    ssize_t written = 0;
    do {
        written = zn_spawn_write(guard->fd, line, (size_t)length);
    } while (written < 0 && errno == EINTR);
    return written == length;
}

zonda_err zn_guard_watch(zn_guard *guard, pid_t group, zonda_error *error) {
    if (guard->pid != 0 && name_group(guard, group)) {
        return ZONDA_OK;
    }
    /* Somebody has killed it; there shall be another. */
    stop(guard);
    zonda_err err = start(guard, error);
    if (err == ZONDA_OK && !name_group(guard, group)) {
        err = zn_error_set(error, ZONDA_ERR_IO, "the guardian of commands has gone");
    }
    return err;
}

void zn_guard_destroy(zn_guard **guard) {
    if (guard != NULL && *guard != NULL) {
        stop(*guard);
        free(*guard);
        *guard = NULL;
    }
}
