/* SPDX-License-Identifier: MPL-2.0 */
/* Reading segments of this host without their worker. The path comes from the wire, so it is not
 * trusted to lead to a segment: what is opened must be a regular file of this very user, and the
 * last part of the path is a checked name. A file that cannot be opened is no error here; its
 * reader asks the worker.
 *
 * A merge has many readers, but they read few files: a worker has one per slot and stage. Their
 * descriptors are kept while somebody uses the file, up to OPEN_MAX; the one that was read the
 * longest ago is closed for another, and opened again when it is read. Used by block readers. */
#include "store/local_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/file.h"

enum {
    OPEN_MAX_COUNT = 32
};

struct zn_local_file {
    char *path;
    int fd; /* -1: closed for another one */
    size_t users;
    uint64_t read; /* when, by the count of reads */
};

struct zn_local_files {
    zn_local_file **items;
    size_t count;
    size_t capacity;
    size_t open_count;
    uint64_t reads;
};

zn_local_files *zn_local_files_new(void) {
    return ZN_NEW(zn_local_files);
}

void zn_local_files_destroy(zn_local_files **files) {
    if (*files == NULL) {
        return;
    }
    ZN_ASSERT((*files)->count == 0);
    free((*files)->items);
    free(*files);
    *files = NULL;
}

static void close_file(zn_local_files *files, zn_local_file *file) {
    files->open_count -= file->fd >= 0 ? 1 : 0;
    zn_file_close(&file->fd);
}

static void make_room(zn_local_files *files) {
    zn_local_file *oldest = NULL;
    for (size_t i = 0; i < files->count; i++) {
        zn_local_file *file = files->items[i];
        if (file->fd >= 0 && (oldest == NULL || file->read < oldest->read)) {
            oldest = file;
        }
    }
    if (files->open_count == OPEN_MAX_COUNT) {
        close_file(files, oldest);
    }
}

/* O_NONBLOCK: opening a pipe must not wait. */
static bool open_file(zn_local_files *files, zn_local_file *file) {
    make_room(files);
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (file->fd >= 0 &&
        (fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid())) {
        zn_file_close(&file->fd);
    }
    files->open_count += file->fd >= 0 ? 1 : 0;
    return file->fd >= 0;
}

static zn_local_file *find_file(const zn_local_files *files, const char *path) {
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i]->path, path) == 0) {
            return files->items[i];
        }
    }
    return NULL;
}

static void drop_file(zn_local_files *files, zn_local_file *file) {
    size_t i = 0;
    while (files->items[i] != file) {
        i++;
    }
    files->items[i] = files->items[--files->count];
    close_file(files, file);
    free(file->path);
    free(file);
}

static zn_local_file *add_file(zn_local_files *files, char **path) {
    zn_local_file *file = ZN_NEW(zn_local_file);
    file->path = *path;
    file->fd = -1;
    *path = NULL;
    ZN_GROW(files->items, files->count, files->capacity);
    files->items[files->count++] = file;
    if (!open_file(files, file)) {
        drop_file(files, file);
        return NULL;
    }
    return file;
}

zn_local_file *zn_local_files_use(zn_local_files *files, const char *folder, zn_bytes segment) {
    if (folder[0] != '/') {
        return NULL;
    }
    char *path = zn_format("%s/%.*s", folder, (int)segment.len, (const char *)segment.data);
    zn_local_file *file = find_file(files, path);
    if (file == NULL) {
        file = add_file(files, &path);
    }
    if (file != NULL) {
        file->users++;
    }
    free(path);
    return file;
}

long zn_local_files_read(zn_local_files *files, zn_local_file *file, uint8_t *out, size_t size,
                         uint64_t offset) {
    if (file->fd < 0 && !open_file(files, file)) {
        errno = ENOENT;
        return -1;
    }
    file->read = ++files->reads;
    return zn_file_read_at(file->fd, out, size, offset);
}

void zn_local_files_leave(zn_local_files *files, zn_local_file **file) {
    zn_local_file *self = *file;
    if (self != NULL && --self->users == 0) {
        drop_file(files, self);
    }
    *file = NULL;
}
