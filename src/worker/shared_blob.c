/* SPDX-License-Identifier: MPL-2.0 */
/* A blob of a hundred megabytes would cost a worker its copy and every slot another, and the way
 * through a socket. So it lies in a memfd: the worker writes it, checks it, and seals it, so that
 * slots may trust what they map as long as they like. What they need to find it is a name in the
 * scratch folder, which nobody else can enter: a link to the worker's descriptor below /proc.
 * Without /proc they find nothing, and get the parts by messages. See memfd_create(2). */
#include "worker/shared_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static const int SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

struct zn_shared_blob {
    uint64_t bytes;
    int file; /* -1: only mapped */
    char *link;
    uint8_t *data; /* NULL: not mapped */
};

zn_shared_blob *zn_shared_blob_new(uint64_t bytes) {
    int file = memfd_create("zonda-blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        return NULL;
    }
    if (ftruncate(file, (off_t)bytes) != 0) {
        close(file);
        return NULL;
    }
    zn_shared_blob *blob = ZN_NEW(zn_shared_blob);
    *blob = (zn_shared_blob){ .bytes = bytes, .file = file };
    return blob;
}

bool zn_shared_blob_put(zn_shared_blob *blob, uint64_t offset, zn_bytes part) {
    while (part.len > 0) {
        ssize_t written = pwrite(blob->file, part.data, part.len, (off_t)offset);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t done = written < 0 ? 0 : (size_t)written;
        part = (zn_bytes){ part.data + done, part.len - done };
        offset += done;
    }
    return true;
}

static bool map(zn_shared_blob *blob, int file) {
    void *data = mmap(NULL, blob->bytes, PROT_READ, MAP_PRIVATE, file, 0);
    blob->data = data == MAP_FAILED ? NULL : data;
    return blob->data != NULL;
}

bool zn_shared_blob_seal(zn_shared_blob *blob) {
    return fcntl(blob->file, F_ADD_SEALS, SEALS) == 0 && map(blob, blob->file);
}

static char *link_path(const char *folder, zn_digest digest) {
    char text[ZN_DIGEST_TEXT];
    return zn_format("%s/%s.blob", folder, zn_digest_text(digest, text));
}

void zn_shared_blob_publish(zn_shared_blob *blob, const char *folder, zn_digest digest) {
    char *target = zn_format("/proc/%ld/fd/%d", (long)getpid(), blob->file);
    char *path = link_path(folder, digest);
    if (symlink(target, path) == 0) {
        blob->link = path;
        path = NULL;
    }
    free(path);
    free(target);
}

/* By the time that the name is followed, the descriptor may be that of something else. */
static bool is_whole(int file, uint64_t bytes) {
    struct stat status;
    int seals = fcntl(file, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS && fstat(file, &status) == 0 &&
           (uint64_t)status.st_size == bytes;
}

zn_shared_blob *zn_shared_blob_find(const char *folder, zn_digest digest, uint64_t bytes) {
    char *path = link_path(folder, digest);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(path);
    if (file < 0) {
        return NULL;
    }
    zn_shared_blob *blob = ZN_NEW(zn_shared_blob);
    *blob = (zn_shared_blob){ .bytes = bytes, .file = -1 };
    if (!is_whole(file, bytes) || !map(blob, file) ||
        !zn_digest_equal(zn_digest_of((zn_bytes){ blob->data, bytes }), digest)) {
        zn_shared_blob_destroy(&blob);
    }
    close(file);
    return blob;
}

const uint8_t *zn_shared_blob_data(const zn_shared_blob *blob) {
    return blob->data;
}

void zn_shared_blob_destroy(zn_shared_blob **blob) {
    if (blob == NULL || *blob == NULL) {
        return;
    }
    zn_shared_blob *self = *blob;
    if (self->link != NULL) {
        unlink(self->link);
        free(self->link);
    }
    if (self->data != NULL) {
        munmap(self->data, self->bytes);
    }
    if (self->file >= 0) {
        close(self->file);
    }
    free(self);
    *blob = NULL;
}
