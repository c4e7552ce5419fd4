/* SPDX-License-Identifier: MPL-2.0 */
/* The thread between the loop of the coordinator and the disk. Batches go through a list with one
 * writer and one reader; each side tells the other through a file descriptor. What has gathered
 * while a transaction was synced goes into the next one together.
 *
 * A write that fails is tried again for a while (somebody may make room); nothing is durable
 * meanwhile, so nothing is acknowledged. Then the journal has failed, and the coordinator ends
 * rather than to go on without one. */
#include "coordinator/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/actor.h"

enum {
    GROUP_MAX = 256,
    RETRY_MS = 100
};

typedef struct node {
    zn_journal_batch batch;
    _Atomic(struct node *) next;
} node;

struct zn_journal {
    zn_journal_db *db;
    int lock_fd;
    uint64_t past_max;
    zn_actor *actor;
    int work_fd; /* something was appended */
    int done_fd; /* something is durable, or the journal has failed */
    node *last;  /* the writer's end; nodes before it are the reader's */
    node *first; /* the reader's end: already written, its `next` is the next to write */
    uint64_t appended;
    _Atomic uint64_t durable;
    atomic_bool failed;
    zonda_error error; /* why; written before `failed` */
};

/* ---- the directory ---- */

static void say_in_use(const char *folder, int fd, zonda_error *error) {
    char pid[32] = { 0 };
    ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
    pid[len > 0 ? strcspn(pid, "\n") : 0] = '\0';
    zn_error_set(error, ZONDA_ERR_STATE, "the state directory %s is in use by process %s", folder,
                 pid[0] != '\0' ? pid : "(unknown)");
}

/* The open, locked file in the folder; -1 and `error` if it cannot be had. */
static int lock_folder(const char *folder, zonda_error *error) {
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        zn_error_set(error, ZONDA_ERR_STATE, "cannot make the state directory %s: %s", folder,
                     strerror(errno));
        return -1;
    }
    char *path = zn_format("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        zn_error_set(error, ZONDA_ERR_STATE, "cannot open %s: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        say_in_use(folder, fd, error);
        close(fd);
        fd = -1;
    } else if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        zn_error_set(error, ZONDA_ERR_STATE, "cannot write %s: %s", path, strerror(errno));
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

zn_journal *zn_journal_open(const char *folder, zonda_error *error) {
    int lock_fd = lock_folder(folder, error);
    if (lock_fd < 0) {
        return NULL;
    }
    zn_journal *journal = ZN_NEW(zn_journal);
    journal->lock_fd = lock_fd;
    journal->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    journal->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    journal->first = ZN_NEW(node);
    journal->last = journal->first;
    journal->db = zn_journal_db_open(folder, error);
    if (journal->db == NULL || journal->work_fd < 0 || journal->done_fd < 0) {
        zn_journal_close(&journal);
    }
    return journal;
}

zn_journal_db *zn_journal_database(zn_journal *journal) {
    ZN_ASSERT(journal->actor == NULL);
    return journal->db;
}

/* ---- the thread ---- */

static void tell(int fd) {
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    ZN_ASSERT(written == (ssize_t)sizeof one || errno == EAGAIN);
}

static void clear(int fd) {
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    ZN_ASSERT(got == (ssize_t)sizeof count || errno == EAGAIN || errno == EINTR);
}

static void wait_for(int fd, int other_fd, int timeout_ms) {
    struct pollfd items[] = { { .fd = fd, .events = POLLIN },
                              { .fd = other_fd, .events = POLLIN } };
    poll(items, 2, timeout_ms);
}

/* Writes a group until it is on the disk; false if that could not be done in time, or at once while
 * the coordinator ends. */
static bool write_group(zn_journal *journal, zn_actor_pipe *pipe,
                        const zn_journal_batch *const *batches, size_t count) {
    uint64_t end_ns = zn_clock_ns() + ZN_JOURNAL_FAIL_MS * ZN_NS_PER_MS;
    bool told = false;
    while (zn_journal_db_write(journal->db, batches, count, journal->past_max, &journal->error) !=
           ZONDA_OK) {
        if (!told) {
            zn_log(ZONDA_LOG_ERROR, "journal-write-failed",
                   "code=%s text=%s note=nothing is acknowledged until it succeeds",
                   zonda_err_name(journal->error.code), journal->error.text);
            told = true;
        }
        if (zn_clock_ns() >= end_ns || zn_actor_stopping(pipe)) {
            return false;
        }
        wait_for(zn_actor_pipe_fd(pipe), -1, RETRY_MS);
    }
    if (told) {
        zn_log(ZONDA_LOG_INFO, "journal-write-succeeded", "batches=%zu", count);
    }
    return true;
}

/* Writes what has gathered. */
static void write_next(zn_journal *journal, zn_actor_pipe *pipe) {
    const zn_journal_batch *batches[GROUP_MAX];
    size_t count = 0;
    node *at = atomic_load_explicit(&journal->first->next, memory_order_acquire);
    while (at != NULL && count < GROUP_MAX) {
        batches[count++] = &at->batch;
        at = atomic_load_explicit(&at->next, memory_order_acquire);
    }
    if (count == 0 || !write_group(journal, pipe, batches, count)) {
        atomic_store(&journal->failed, count > 0);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        node *written = journal->first;
        journal->first = atomic_load_explicit(&written->next, memory_order_acquire);
        zn_buf_free(&journal->first->batch.notes);
        zn_buf_free(&journal->first->batch.past);
        free(written);
    }
    atomic_fetch_add(&journal->durable, count);
}

static bool has_more(const zn_journal *journal) {
    return atomic_load_explicit(&journal->first->next, memory_order_acquire) != NULL;
}

static void write_all(zn_actor_pipe *pipe, void *context) {
    zn_journal *journal = context;
    zn_actor_ready(pipe);
    while (!atomic_load(&journal->failed) && (has_more(journal) || !zn_actor_stopping(pipe))) {
        wait_for(journal->work_fd, zn_actor_pipe_fd(pipe), -1);
        clear(journal->work_fd);
        while (has_more(journal) && !atomic_load(&journal->failed)) {
            write_next(journal, pipe);
            tell(journal->done_fd);
        }
    }
    while (!zn_actor_stopping(pipe)) {
        wait_for(zn_actor_pipe_fd(pipe), -1, -1);
    }
}

/* ---- the other thread ---- */

zonda_err zn_journal_start(zn_journal *journal, uint64_t past_max, zonda_error *error) {
    journal->past_max = past_max;
    journal->actor = zn_actor_start(write_all, journal, error);
    return journal->actor != NULL ? ZONDA_OK : error->code;
}

uint64_t zn_journal_append(zn_journal *journal, zn_journal_batch *batch) {
    node *appended = ZN_NEW(node);
    appended->batch = *batch;
    *batch = (zn_journal_batch){ 0 };
    atomic_store_explicit(&journal->last->next, appended, memory_order_release);
    journal->last = appended;
    tell(journal->work_fd);
    return ++journal->appended;
}

uint64_t zn_journal_durable(const zn_journal *journal) {
    return atomic_load(&journal->durable);
}

int zn_journal_fd(const zn_journal *journal) {
    return journal->done_fd;
}

void zn_journal_clear(zn_journal *journal) {
    clear(journal->done_fd);
}

bool zn_journal_failed(const zn_journal *journal, zonda_error *error) {
    bool failed = atomic_load(&journal->failed);
    if (failed) {
        *error = journal->error;
    }
    return failed;
}

void zn_journal_close(zn_journal **journal_pointer) {
    zn_journal *journal = *journal_pointer;
    if (journal == NULL) {
        return;
    }
    zn_actor_stop(&journal->actor);
    zn_journal_db_close(&journal->db);
    while (journal->first != NULL) {
        node *next = atomic_load(&journal->first->next);
        zn_buf_free(&journal->first->batch.notes);
        zn_buf_free(&journal->first->batch.past);
        free(journal->first);
        journal->first = next;
    }
    if (journal->work_fd >= 0) {
        close(journal->work_fd);
    }
    if (journal->done_fd >= 0) {
        close(journal->done_fd);
    }
    close(journal->lock_fd);
    free(journal);
    *journal_pointer = NULL;
}
