/* SPDX-License-Identifier: MPL-2.0 */
/* Runs one command. All its streams are pipes that are read and written as they are ready, in one
 * poll with its death (a pidfd), so no order in which the command reads, writes or closes can lock
 * up. Memory is bounded: output that the caller takes away by how much one step reads, everything
 * else by what is kept.
 *
 * The command leads a process group. The group is killed when the command has ended and its streams
 * are at their end, or half a second after the command's end if something else holds them open; so
 * what a command leaves in the background ends with it. The leader is a zombie until then, so that
 * the number of the group cannot be another's. What has left the group and still holds a stream is
 * not waited for: the stream is closed once what was in the pipe has been read. */
#include "ops/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/profile.h"
#include "ops/spawn.h"

enum {
    CHUNK_BYTES = 64 * ZN_KIB,
    PIPE_BYTES = 256 * ZN_KIB,
    PIPE_BYTES_MAX = ZN_MIB, /* what a pipe may hold, should the command make it larger */
    WAIT_MS = 20,            /* in one step, so that the caller sees a cancellation */
    KEEP_BYTES_MAX = ZN_MIB  /* an input queue larger than this gives its memory back */
};

static const uint64_t LEFT_GRACE_NS = 500 * ZN_NS_PER_MS;
static const uint64_t DRAIN_NS = 100 * ZN_NS_PER_MS;
static const uint64_t TERM_GRACE_NS = ZN_NS_PER_S; /* the worker kills slots after two */

typedef struct stream {
    int fd; /* -1: at its end */
    zn_buf kept;
    size_t max;
    bool keep_last;
    bool is_cut;
    bool was_quiet;      /* the last look found nothing */
    uint64_t late_bytes; /* came after the group was killed */
} stream;

struct zn_subprocess {
    zn_guard *guard;
    pid_t pid;
    int pidfd;
    int input_fd; /* -1: closed */
    zn_buf input;
    size_t written; /* of input */
    bool input_ends;
    stream output;
    stream errors;
    bool exited; /* a zombie, or reaped */
    bool killed; /* the group */
    bool over;
    uint64_t started_ns;
    uint64_t exited_ns;
    uint64_t killed_ns;
    zn_subprocess_end end;
};

static void close_input(zn_subprocess *self) {
    zn_spawn_close(&self->input_fd);
    zn_buf_free(&self->input);
    self->written = 0;
}

/* A large pipe costs fewer switches between the processes; where it is refused, a small one does.
 */
static void set_up(int fd, bool is_large) {
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    if (fd >= 0 && is_large) {
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
    }
}

/* ---- start ---- */

/* The command's ends of the pipes. */
typedef struct child_ends {
    int input;
    int output;
    int errors;
} child_ends;

static zonda_err make_pipes(zn_subprocess *self, bool has_input, child_ends *child,
                            zonda_error *error) {
    int ends[2] = { -1, -1 };
    zonda_err err = ZONDA_OK;
    if (has_input && (err = zn_spawn_pipe(ends, error)) == ZONDA_OK) {
        child->input = ends[0];
        self->input_fd = ends[1];
    }
    if (err == ZONDA_OK && (err = zn_spawn_pipe(ends, error)) == ZONDA_OK) {
        self->output.fd = ends[0];
        child->output = ends[1];
    }
    if (err == ZONDA_OK && (err = zn_spawn_pipe(ends, error)) == ZONDA_OK) {
        self->errors.fd = ends[0];
        child->errors = ends[1];
    }
    set_up(self->input_fd, true);
    set_up(self->output.fd, has_input);
    set_up(self->errors.fd, false);
    return err;
}

static zonda_err launch(zn_subprocess *self, const zn_subprocess_options *options,
                        zonda_error *error) {
    child_ends child = { -1, -1, -1 };
    pid_t pid = 0;
    zonda_err err = make_pipes(self, options->has_input, &child, error);
    self->started_ns = zn_clock_ns();
    if (err == ZONDA_OK) {
        zn_spawn spawn = { .program = options->program,
                           .arguments = options->arguments,
                           .environment = options->environment,
                           .input = child.input,
                           .output = child.output,
                           .errors = child.errors };
        err = zn_spawn_start(&spawn, &pid, error);
    }
    zn_spawn_close(&child.input);
    zn_spawn_close(&child.output);
    zn_spawn_close(&child.errors);
    if (err == ZONDA_OK) {
        self->pid = pid;
        err = zn_guard_watch(self->guard, pid, error);
    }
    return err;
}

static void note_exit(zn_subprocess *self) {
    self->exited = true;
    self->exited_ns = zn_clock_ns();
    self->end.nanoseconds = self->exited_ns - self->started_ns;
    close_input(self);
}

/* Where SIGCHLD is ignored, a command that has ended is no process any more. */
static zonda_err watch(zn_subprocess *self, zonda_error *error) {
    self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
    if (self->pidfd < 0 && errno != ESRCH) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot watch process %ld: %s", (long)self->pid,
                            strerror(errno));
    }
    if (self->pidfd < 0) {
        note_exit(self);
    }
    return ZONDA_OK;
}

zn_subprocess *zn_subprocess_start(const zn_subprocess_options *options, zonda_error *error) {
    zn_subprocess *self = ZN_NEW(zn_subprocess);
    self->guard = options->guard;
    self->pidfd = self->input_fd = self->output.fd = self->errors.fd = -1;
    self->output.max = options->output_max;
    self->errors.max = options->errors_max;
    self->errors.keep_last = options->keep_last;
    zonda_err err = launch(self, options, error);
    if (err == ZONDA_OK) {
        err = watch(self, error);
    }
    if (err != ZONDA_OK) {
        zn_subprocess_destroy(&self);
    }
    return self;
}

/* ---- end ---- */

/* Not if somebody else has reaped the leader: its number may be another's. */
static void kill_group(zn_subprocess *self) {
    if (!self->killed) {
        siginfo_t info;
        if (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
            kill(-self->pid, SIGKILL);
        }
        self->killed = true;
        self->killed_ns = zn_clock_ns();
    }
}

/* The guardian forgets the group before its number is free for others. */
static void reap(zn_subprocess *self) {
    zonda_error ignored;
    kill_group(self);
    zn_guard_watch(self->guard, 0, &ignored);
    int status = 0;
    pid_t reaped = 0;
    do {
        reaped = waitpid(self->pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    self->end.is_lost = reaped != self->pid;
    self->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    self->end.status = self->end.signal > 0 ? 128 + self->end.signal : WEXITSTATUS(status);
    self->over = true;
}

/* Whether an open stream of a command that has ended is not worth waiting for any more. */
static void give_up(zn_subprocess *self, stream *from, uint64_t now_ns) {
    bool drained = from->was_quiet || from->late_bytes > PIPE_BYTES_MAX;
    if (drained && now_ns - self->killed_ns >= DRAIN_NS) {
        zn_spawn_close(&from->fd);
    }
}

static void settle(zn_subprocess *self) {
    uint64_t now_ns = zn_clock_ns();
    if (!self->killed && now_ns - self->exited_ns >= LEFT_GRACE_NS) {
        kill_group(self);
    } else if (self->killed) {
        give_up(self, &self->output, now_ns);
        give_up(self, &self->errors, now_ns);
    }
    if (self->output.fd < 0 && self->errors.fd < 0) {
        reap(self);
    }
}

/* Whether the command ends by itself when it is asked to. */
static void terminate(zn_subprocess *self) {
    kill(-self->pid, SIGTERM);
    kill(-self->pid, SIGCONT);
    uint64_t until_ns = zn_clock_ns() + TERM_GRACE_NS;
    struct pollfd item = { .fd = self->pidfd, .events = POLLIN };
    for (uint64_t now_ns = zn_clock_ns(); now_ns < until_ns; now_ns = zn_clock_ns()) {
        if (poll(&item, 1, (int)((until_ns - now_ns) / ZN_NS_PER_MS) + 1) > 0) {
            return;
        }
    }
}

void zn_subprocess_destroy(zn_subprocess **process) {
    if (process == NULL || *process == NULL) {
        return;
    }
    zn_subprocess *self = *process;
    if (self->pid != 0 && !self->over) {
        if (!self->exited && self->pidfd >= 0) {
            terminate(self);
        }
        reap(self);
    }
    close_input(self);
    zn_spawn_close(&self->output.fd);
    zn_spawn_close(&self->errors.fd);
    zn_spawn_close(&self->pidfd);
    zn_buf_free(&self->output.kept);
    zn_buf_free(&self->errors.kept);
    free(self);
    *process = NULL;
}

/* ---- streams ---- */

/* Forgets the beginning when there is twice what is wanted, so that little is moved. */
static void keep_last(stream *from, const uint8_t *data, size_t len) {
    zn_buf *kept = &from->kept;
    zn_buf_append(kept, data, len);
    if (kept->len > 2 * from->max) {
        memmove(kept->data, kept->data + kept->len - from->max, from->max);
        kept->len = from->max;
        from->is_cut = true;
    }
}

static void keep(stream *from, const uint8_t *data, size_t len) {
    if (from->keep_last) {
        keep_last(from, data, len);
        return;
    }
    size_t room = from->max - from->kept.len;
    from->is_cut = from->is_cut || len > room;
    zn_buf_append(&from->kept, data, len < room ? len : room);
}

static void read_stream(const zn_subprocess *self, stream *from, short events) {
    from->was_quiet = events == 0;
    if (from->fd < 0 || events == 0) {
        return;
    }
    uint8_t chunk[CHUNK_BYTES];
    ssize_t got = read(from->fd, chunk, sizeof chunk);
    if (got > 0) {
        from->late_bytes += self->killed ? (uint64_t)got : 0;
        keep(from, chunk, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        zn_spawn_close(&from->fd);
    }
}

/* A reader that has gone is not an error: what counts is how the command ends. */
static void write_input(zn_subprocess *self, short events) {
    if (self->input_fd < 0) {
        return;
    }
    size_t queued = zn_subprocess_queued(self);
    if ((events & (POLLOUT | POLLERR)) != 0 && queued > 0) {
        ssize_t written = zn_spawn_write(self->input_fd, self->input.data + self->written, queued);
        if (written > 0) {
            self->written += (size_t)written;
        } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
            close_input(self);
        }
    } else if ((events & POLLERR) != 0) {
        close_input(self);
    }
    if (zn_subprocess_queued(self) == 0) {
        zn_buf_reset(&self->input, KEEP_BYTES_MAX);
        self->written = 0;
        if (self->input_ends) {
            close_input(self);
        }
    }
}

void zn_subprocess_step(zn_subprocess *self, bool wait) {
    if (self->over) {
        return;
    }
    struct pollfd items[] = {
        { .fd = self->input_fd, .events = zn_subprocess_queued(self) > 0 ? POLLOUT : 0 },
        { .fd = self->output.fd, .events = POLLIN },
        { .fd = self->errors.fd, .events = POLLIN },
        { .fd = self->exited ? -1 : self->pidfd, .events = POLLIN },
    };
    int before = zn_profile_enter(ZN_SECTION_USER);
    int ready = poll(items, sizeof items / sizeof items[0], wait ? WAIT_MS : 0);
    zn_profile_leave(before);
    if (ready < 0) {
        return; /* interrupted; the next step looks again */
    }
    read_stream(self, &self->output, items[1].revents);
    read_stream(self, &self->errors, items[2].revents);
    if (items[3].revents != 0) {
        note_exit(self);
    }
    write_input(self, items[0].revents);
    if (self->exited) {
        settle(self);
    }
}

bool zn_subprocess_reads(const zn_subprocess *self) {
    return self->input_fd >= 0;
}

void zn_subprocess_put(zn_subprocess *self, zn_bytes input) {
    if (self->input_fd < 0) {
        return;
    }
    if (self->written > self->input.len / 2) {
        self->input.len -= self->written;
        memmove(self->input.data, self->input.data + self->written, self->input.len);
        self->written = 0;
    }
    zn_buf_append(&self->input, input.data, input.len);
}

size_t zn_subprocess_queued(const zn_subprocess *self) {
    return self->input.len - self->written;
}

void zn_subprocess_end_input(zn_subprocess *self) {
    self->input_ends = true;
    write_input(self, 0);
}

zn_buf *zn_subprocess_output(zn_subprocess *self) {
    return &self->output.kept;
}

const zn_buf *zn_subprocess_errors(const zn_subprocess *self) {
    return &self->errors.kept;
}

bool zn_subprocess_is_cut(const zn_subprocess *self) {
    return self->output.is_cut || self->errors.is_cut;
}

bool zn_subprocess_is_over(const zn_subprocess *self) {
    return self->over;
}

const zn_subprocess_end *zn_subprocess_ended(const zn_subprocess *self) {
    return &self->end;
}
