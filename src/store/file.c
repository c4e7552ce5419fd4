/* SPDX-License-Identifier: MPL-2.0 */
/* System calls on files, made whole: signals that interrupt them and writes that fall short are
 * handled here and nowhere else, so every user sees either all of it or one errno. Used by every
 * module of this layer that holds a file descriptor. */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
    NS_PER_S = 1000000000
};

static bool is_full(int number) {
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

zonda_err zn_file_failed(zonda_error *error, const char *path, const char *what) {
    char text[128];
    zonda_err code = is_full(errno) ? ZONDA_ERR_DISK_FULL : ZONDA_ERR_IO;
    const char *cause = strerror_r(errno, text, sizeof text);
    zn_error_set(error, code, "%s: %s", what, cause);
    if (path != NULL) {
        zn_error_at(error, path, 0, 0);
    }
    return code;
}

long zn_file_read(int fd, uint8_t *out, size_t size) {
    ssize_t got;
    do {
        got = read(fd, out, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

long zn_file_read_at(int fd, uint8_t *out, size_t size, uint64_t offset) {
    size_t total = 0;
    while (total < size) {
        ssize_t got = pread(fd, out + total, size - total, (off_t)(offset + total));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        total += (size_t)got;
    }
    return (long)total;
}

/* The system may take only a part of the bytes; 0 taken would loop for ever and counts as full. */
static bool advance(zn_bytes *bytes, ssize_t taken) {
    if (taken < 0) {
        return errno == EINTR;
    }
    if (taken == 0) {
        errno = ENOSPC;
        return false;
    }
    bytes->data += taken;
    bytes->len -= (size_t)taken;
    return true;
}

bool zn_file_write(int fd, zn_bytes bytes) {
    while (bytes.len > 0) {
        if (!advance(&bytes, write(fd, bytes.data, bytes.len))) {
            return false;
        }
    }
    return true;
}

bool zn_file_write_at(int fd, zn_bytes bytes, uint64_t offset) {
    const uint8_t *start = bytes.data;
    while (bytes.len > 0) {
        off_t at = (off_t)(offset + (uint64_t)(bytes.data - start));
        if (!advance(&bytes, pwrite(fd, bytes.data, bytes.len, at))) {
            return false;
        }
    }
    return true;
}

zonda_err zn_file_info_of(const char *path, zn_file_info *out, zonda_error *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return zn_file_failed(error, path, "cannot look at the file");
    }
    out->bytes = (uint64_t)status.st_size;
    out->modified_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_S + status.st_mtim.tv_nsec;
    return ZONDA_OK;
}

zonda_err zn_file_make_folders(const char *folder, zonda_error *error) {
    char *path = zn_strdup(folder);
    zonda_err code = ZONDA_OK;
    for (char *at = path + 1; code == ZONDA_OK && at[-1] != '\0'; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        struct stat status;
        if (stat(path, &status) != 0 && mkdir(path, 0777) != 0 && errno != EEXIST) {
            code = zn_file_failed(error, path, "cannot make the folder");
        }
        *at = kept;
    }
    free(path);
    return code;
}

/* Some file systems cannot sync folders (EINVAL). */
bool zn_file_sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    zn_file_close(&fd);
    return ok;
}

void zn_file_close(int *fd) {
    if (*fd >= 0) {
        int kept = errno;
        close(*fd);
        *fd = -1;
        errno = kept;
    }
}

/* Not every file system knows files without a name. */
static int open_named(const char *scratch) {
    char *path = zn_format("%s/temporary-XXXXXX", scratch);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    free(path);
    return fd;
}

int zn_file_temporary(const char *folder, zonda_error *error) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        fd = open_named(folder);
    }
    if (fd < 0) {
        zn_file_failed(error, folder, "cannot make a temporary file");
    }
    return fd;
}
