/* SPDX-License-Identifier: MPL-2.0 */
/* A slot that is a process, so that a crash kills one attempt and not the worker. It is spawned,
 * never forked; has its own process group, so that a Ctrl-C at the terminal reaches only the
 * worker, and a kill reaches what the slot has started; reads /dev/null; writes to the worker's
 * standard error, which listens (slot_voice.c); inherits no other file. Its death shows on a pidfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "worker/slot.h"
#include "worker/slot_voice.h"

extern char **environ;

typedef struct process_slot {
    zn_slot base;
    uint32_t index;
    pid_t pid;
    int pidfd;
    bool reaped;
    zn_slot_voice *voice;
} process_slot;

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

/* `output`: where the slot writes. */
static int spawn(const zn_slot_options *options, char *const arguments[], int output, pid_t *pid) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    set_attributes(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int code = posix_spawn(pid, options->program, &files, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return code;
}

static int spawn_slot(const zn_slot_options *options, int output, pid_t *pid) {
    char index[16];
    char memory[24];
    char parent[24];
    snprintf(index, sizeof index, "%u", options->index);
    snprintf(memory, sizeof memory, "%llu", (unsigned long long)options->memory_bytes);
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    char *program = zn_strdup(options->program);
    char *endpoint = zn_strdup(options->endpoint);
    char *scratch = zn_strdup(options->scratch);
    char *keys = options->keys != NULL ? zn_strdup(options->keys) : NULL;
    char slot_word[] = "slot";
    char endpoint_word[] = "--endpoint";
    char index_word[] = "--index";
    char scratch_word[] = "--scratch";
    char memory_word[] = "--memory";
    char parent_word[] = "--parent";
    char keys_word[] = "--keys";
    char *const arguments[] = { program,
                                slot_word,
                                endpoint_word,
                                endpoint,
                                index_word,
                                index,
                                scratch_word,
                                scratch,
                                memory_word,
                                memory,
                                parent_word,
                                parent,
                                keys != NULL ? keys_word : NULL,
                                keys,
                                NULL };
    int code = spawn(options, arguments, output, pid);
    free(keys);
    free(scratch);
    free(endpoint);
    free(program);
    return code;
}

static void kill_group(const process_slot *slot) {
    if (!slot->reaped) {
        /* The group exists only once the child has made it; the process itself always does. */
        kill(-slot->pid, SIGKILL);
        kill(slot->pid, SIGKILL);
    }
}

static void kill_process(zn_slot *slot) {
    kill_group((process_slot *)slot);
}

static int process_death_fd(const zn_slot *slot) {
    return ((const process_slot *)slot)->pidfd;
}

static void describe(const process_slot *slot, int status, zonda_error *how) {
    if (WIFSIGNALED(status)) {
        zn_error_set(how, ZONDA_ERR_CRASH, "slot %u (process %ld) was killed by signal %d (%s)",
                     slot->index, (long)slot->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        zn_error_set(how, ZONDA_ERR_CRASH, "slot %u (process %ld) ended with exit status %d",
                     slot->index, (long)slot->pid, WEXITSTATUS(status));
    }
}

/* The leader's death is waited for without reaping it first, so that the group's number cannot be
 * another's yet when what the slot has left behind is killed. */
static bool process_is_dead(zn_slot *slot, zonda_error *how) {
    process_slot *self = (process_slot *)slot;
    siginfo_t info = { 0 };
    if (self->reaped) {
        return true;
    }
    if (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0) {
        return false;
    }
    kill(-self->pid, SIGKILL);
    int status = 0;
    pid_t reaped = waitpid(self->pid, &status, 0);
    self->reaped = true;
    if (reaped == self->pid) {
        describe(self, status, how);
    } else {
        zn_error_set(how, ZONDA_ERR_CRASH, "slot %u (process %ld) has gone: %s", self->index,
                     (long)self->pid, strerror(errno));
    }
    return true;
}

static void quote_process(zn_slot *slot, zonda_error *how) {
    zn_slot_voice_quote(((process_slot *)slot)->voice, how);
}

static uint64_t process_pid(const zn_slot *slot) {
    return (uint64_t)((const process_slot *)slot)->pid;
}

static void destroy_process(zn_slot *slot) {
    process_slot *self = (process_slot *)slot;
    kill_group(self);
    while (!self->reaped && waitpid(self->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    zn_slot_voice_close(&self->voice);
    close(self->pidfd);
    free(self);
}

static const zn_slot_ops PROCESS_OPS = { kill_process,  process_death_fd, process_is_dead,
                                         quote_process, process_pid,      destroy_process };

zn_slot *zn_slot_start_process(const zn_slot_options *options, zonda_error *error) {
    pid_t pid = 0;
    int output = -1;
    zn_slot_voice *voice = zn_slot_voice_open(STDERR_FILENO, &output, error);
    if (voice == NULL) {
        return NULL;
    }
    int code = spawn_slot(options, output, &pid);
    close(output);
    if (code != 0) {
        zn_slot_voice_close(&voice);
        zn_error_set(error, ZONDA_ERR_IO, "cannot start %s: %s", options->program, strerror(code));
        return NULL;
    }
    process_slot *slot = ZN_NEW(process_slot);
    *slot = (process_slot){
        .base.ops = &PROCESS_OPS, .index = options->index, .pid = pid, .voice = voice
    };
    slot->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (slot->pidfd < 0) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot watch process %ld: %s", (long)pid,
                     strerror(errno));
        destroy_process(&slot->base);
        return NULL;
    }
    return &slot->base;
}
