/* SPDX-License-Identifier: MPL-2.0 */
/* Starting programs. posix_spawn does not copy this process, whatever its size, and tells at once
 * when the program cannot be run. A thread of a slot has all signals blocked, which a program must
 * not inherit; nor must it inherit a file, since a pipe that a stranger holds open never ends.
 * Descriptors 0 to 2 are never used for pipes, so that the copies made in the child cannot
 * overwrite each other. Used by guard.c and subprocess.c. */
#include "ops/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
}

static void set_file(posix_spawn_file_actions_t *files, int source, int target) {
    if (source < 0) {
        int mode = target == STDIN_FILENO ? O_RDONLY : O_WRONLY;
        posix_spawn_file_actions_addopen(files, target, "/dev/null", mode, 0);
    } else {
        posix_spawn_file_actions_adddup2(files, source, target);
    }
}

static zonda_err fail(const char *program, int code, zonda_error *error) {
    bool hopeless = code == ENOENT || code == EACCES || code == ENOEXEC || code == E2BIG ||
                    code == ENOTDIR || code == EISDIR || code == ELOOP || code == ENAMETOOLONG;
    zonda_err err = zn_error_set(error, hopeless ? ZONDA_ERR_USER : ZONDA_ERR_IO,
                                 "cannot start %s: %s", program, strerror(code));
    error->permanent = hopeless;
    return err;
}

zonda_err zn_spawn_start(const zn_spawn *spawn, pid_t *pid, zonda_error *error) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    set_attributes(&attributes);
    set_file(&files, spawn->input, STDIN_FILENO);
    set_file(&files, spawn->output, STDOUT_FILENO);
    set_file(&files, spawn->errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int code =
        posix_spawn(pid, spawn->program, &files, &attributes, spawn->arguments, spawn->environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return code == 0 ? ZONDA_OK : fail(spawn->program, code, error);
}

/* Moves a descriptor above the standard ones. */
static bool raise_fd(int *fd) {
    if (*fd > STDERR_FILENO) {
        return true;
    }
    int raised = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    zn_spawn_close(fd);
    *fd = raised;
    return raised >= 0;
}

zonda_err zn_spawn_pipe(int ends[2], zonda_error *error) {
    int made[2] = { -1, -1 };
    if (pipe2(made, O_CLOEXEC) != 0 || !raise_fd(&made[0]) || !raise_fd(&made[1])) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot make a pipe: %s", strerror(errno));
        zn_spawn_close(&made[0]);
        zn_spawn_close(&made[1]);
        return ZONDA_ERR_IO;
    }
    ends[0] = made[0];
    ends[1] = made[1];
    return ZONDA_OK;
}

void zn_spawn_close(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

ssize_t zn_spawn_write(int fd, const void *data, size_t len) {
    sigset_t pipe_signal;
    sigset_t before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t written = write(fd, data, len);
    int code = errno;
    if (written < 0 && code == EPIPE) {
        /* The signal waits for this thread; taken here, it never arrives. */
        sigtimedwait(&pipe_signal, NULL, &(struct timespec){ 0 });
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return written;
}
