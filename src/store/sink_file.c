/* SPDX-License-Identifier: MPL-2.0 */
/* Output files that appear whole or not at all. The bytes go to a temporary beside the target (so
 * that the rename stays inside one file system), whose name carries the attempt: no attempt can
 * touch the file of another, and what a dead one left can be found by its name alone.
 *
 * The writer holds a lock (flock) on its temporary until it is published or removed. Whoever clears
 * up after an attempt that is thought dead leaves a locked file alone: its writer lives, may even
 * have the permission to publish, and removes the file itself otherwise. Only who has the
 * permission itself removes the temporaries of all others, locked or not, before it publishes: so
 * an attempt that was granted, frozen and replaced cannot publish when it wakes up.
 *
 * Used by the write operators in a task, and the sweep by the worker after a slot died. */
#include "store/sink_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/profile.h"
#include "store/file.h"
#include "store/stream.h"

/* How many earlier and later attempts are looked for; a task has far fewer. */
enum {
    SWEEP_MAX = 64,
    LATER_MAX = 4
};

typedef enum sink_state {
    SINK_OPEN,
    SINK_SEALED,
    SINK_PUBLISHED
} sink_state;

struct zn_sink_file {
    char *path;
    char *folder;
    char *temporary;
    zn_attempt_id attempt;
    int fd; /* holds the lock */
    zn_out_stream *stream;
    sink_state state;
};

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return zn_strdup(".");
    }
    return slash == path ? zn_strdup("/") : zn_strndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static char *temporary_of(const char *path, zn_attempt_id id) {
    const char *name = name_of(path);
    return zn_format("%.*s.%s.zonda-%" PRIu64 "-%" PRIu32 "-%" PRIu64 "-%" PRIu32 ".tmp",
                     (int)(name - path), path, name, id.job.value, id.stage.value, id.task,
                     id.attempt);
}

/* Removes a temporary unless its writer is still there. */
static void remove_abandoned(const char *temporary) {
    int fd = open(temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        zn_file_close(&fd);
        return;
    }
    unlink(temporary);
    zn_file_close(&fd);
}

void zn_sink_file_sweep(const char *path, zn_attempt_id attempt) {
    char *temporary = temporary_of(path, attempt);
    remove_abandoned(temporary);
    free(temporary);
}

void zn_sink_file_sweep_folder(const char *folder, zn_job_id job, zn_stage_id stage) {
    char mark[64];
    snprintf(mark, sizeof mark, ".zonda-%" PRIu64 "-%" PRIu32 "-", job.value, stage.value);
    DIR *listing = opendir(folder[0] == '\0' ? "." : folder);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        const char *name = entry->d_name;
        size_t len = strlen(name);
        if (name[0] == '.' && strstr(name, mark) != NULL && len > 4 &&
            strcmp(name + len - 4, ".tmp") == 0) {
            char *temporary = zn_format("%s%s", folder, name);
            remove_abandoned(temporary);
            free(temporary);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
}

static void sweep_earlier(const char *path, zn_attempt_id attempt) {
    uint32_t first = attempt.attempt > SWEEP_MAX ? attempt.attempt - SWEEP_MAX : 1;
    for (uint32_t earlier = first; earlier < attempt.attempt; earlier++) {
        zn_attempt_id id = attempt;
        id.attempt = earlier;
        zn_sink_file_sweep(path, id);
    }
}

static zonda_err check_path(const char *path, const char *temporary, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    const char *name = name_of(path);
    size_t added = strlen(name_of(temporary)) - strlen(name);
    if (strstr(path, "://") != NULL) {
        code = zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "only local files can be written");
    } else if (*name == '\0') {
        code = zn_error_set(error, ZONDA_ERR_IO, "cannot write: the path names a folder");
    } else if (strlen(temporary) >= PATH_MAX) {
        code = zn_error_set(error, ZONDA_ERR_IO, "cannot write: the path of %zu bytes is too long",
                            strlen(path));
    } else if (strlen(name) + added > NAME_MAX) {
        code = zn_error_set(error, ZONDA_ERR_IO,
                            "cannot write: the file name of %zu bytes is too long (at most %zu)",
                            strlen(name), NAME_MAX - added);
    }
    if (code != ZONDA_OK) {
        zn_error_at(error, path, 0, 0);
    }
    return code;
}

static int create_locked(const char *temporary) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd >= 0) {
        /* Where locks do not exist, temporaries are removed without asking for them. */
        (void)flock(fd, LOCK_EX | LOCK_NB);
    }
    return fd;
}

static int create_temporary(const char *path, const char *temporary, zonda_error *error) {
    int fd = create_locked(temporary);
    if (fd < 0 && errno == EEXIST) {
        /* A run that was killed and had the same ids. */
        remove_abandoned(temporary);
        fd = create_locked(temporary);
    }
    if (fd < 0 && errno == EEXIST) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot create: another process is writing it");
        zn_error_at(error, path, 0, 0);
    } else if (fd < 0) {
        zn_file_failed(error, path, "cannot create");
    }
    return fd;
}

zn_sink_file *zn_sink_file_open(const char *path, zn_attempt_id attempt, int level,
                                zonda_error *error) {
    zn_compression compression = zn_compression_of(path, NULL);
    if (!zn_compression_available(compression)) {
        zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "this build cannot write this compression");
        zn_error_at(error, path, 0, 0);
        return NULL;
    }
    zn_sink_file *file = ZN_NEW(zn_sink_file);
    file->fd = -1;
    file->path = zn_strdup(path);
    file->attempt = attempt;
    file->folder = folder_of(path);
    char *temporary = temporary_of(path, attempt);
    if (check_path(path, temporary, error) != ZONDA_OK ||
        zn_file_make_folders(file->folder, error) != ZONDA_OK) {
        goto failed;
    }
    sweep_earlier(path, attempt);
    file->fd = create_temporary(path, temporary, error);
    if (file->fd < 0) {
        goto failed;
    }
    file->temporary = temporary;
    file->stream = zn_out_stream_new(file->fd, compression, level);
    return file;
failed:
    free(temporary);
    zn_sink_file_destroy(&file);
    return NULL;
}

zonda_err zn_sink_file_write(zn_sink_file *file, zn_bytes bytes, zonda_error *error) {
    ZN_ASSERT(file->state == SINK_OPEN);
    zonda_err code = zn_out_stream_write(file->stream, bytes, error);
    if (code != ZONDA_OK) {
        zn_error_at(error, file->path, 0, 0);
    }
    return code;
}

zonda_err zn_sink_file_seal(zn_sink_file *file, zonda_error *error) {
    ZN_ASSERT(file->state == SINK_OPEN);
    zonda_err code = zn_out_stream_finish(file->stream, error);
    if (code != ZONDA_OK) {
        zn_error_at(error, file->path, 0, 0);
        return code;
    }
    int before = zn_profile_enter(ZN_SECTION_WRITING);
    bool synced = fsync(file->fd) == 0 || errno == EINVAL;
    zn_profile_leave(before);
    if (!synced) {
        return zn_file_failed(error, file->path, "cannot write to the disk");
    }
    file->state = SINK_SEALED;
    return ZONDA_OK;
}

/* No other attempt of the task may publish any more, also none that had the permission once and was
 * taken for dead: without its temporary it has nothing to give a name to. */
static void disarm_others(const zn_sink_file *file) {
    zn_attempt_id id = file->attempt;
    uint32_t own = id.attempt;
    uint32_t last = own > UINT32_MAX - LATER_MAX ? own : own + LATER_MAX;
    for (id.attempt = own > SWEEP_MAX ? own - SWEEP_MAX : 1; id.attempt <= last; id.attempt++) {
        if (id.attempt != own) {
            char *temporary = temporary_of(file->path, id);
            unlink(temporary);
            free(temporary);
        }
    }
}

zonda_err zn_sink_file_publish(zn_sink_file *file, zonda_error *error) {
    ZN_ASSERT(file->state == SINK_SEALED);
    disarm_others(file);
    if (rename(file->temporary, file->path) != 0) {
        if (errno == ENOENT && access(file->folder, F_OK) == 0) {
            zn_error_set(error, ZONDA_ERR_STALE, "another attempt of the task has published");
            zn_error_at(error, file->path, 0, 0);
            return ZONDA_ERR_STALE;
        }
        return zn_file_failed(error, file->path, "cannot rename the finished file to its name");
    }
    file->state = SINK_PUBLISHED;
    zn_file_close(&file->fd);
    if (!zn_file_sync_folder(file->folder)) {
        return zn_file_failed(error, file->folder, "cannot write the folder to the disk");
    }
    return ZONDA_OK;
}

uint64_t zn_sink_file_bytes(const zn_sink_file *file) {
    return zn_out_stream_bytes(file->stream);
}

void zn_sink_file_destroy(zn_sink_file **file) {
    zn_sink_file *self = *file;
    if (self == NULL) {
        return;
    }
    if (self->temporary != NULL && self->state != SINK_PUBLISHED) {
        unlink(self->temporary);
    }
    zn_out_stream_destroy(&self->stream);
    zn_file_close(&self->fd);
    free(self->temporary);
    free(self->folder);
    free(self->path);
    free(self);
    *file = NULL;
}
