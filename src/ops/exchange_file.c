/* SPDX-License-Identifier: MPL-2.0 */
/* A slot that dies while it makes the file leaves it without a header, and its lock goes with it:
 * the next one begins anew. The lock is asked for again and again rather than waited for, so that a
 * cancelled attempt ends. Who has read the header needs no lock, because a whole file never
 * changes. Used by exchange_table.c. */
#include "ops/exchange_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "store/block.h"
#include "store/file.h"

enum {
    HEADER_BYTES = 24,
    HEADER_CHECKED = 16,
    LOCK_WAIT_MS = 5,
    KEEP_BYTES = 2 * ZN_BLOCK_RAW_BYTES
};

static const uint8_t magic[] = { 'Z', 'N', 'X', '1' };

struct zn_exchange_file {
    char *path;
    int fd;
    uint64_t parts;
    bool whole;
    zn_block_codec *codec;
    /* While it is made. */
    uint64_t *offsets; /* of the parts so far */
    uint64_t part;     /* that is being written */
    uint64_t end;
    zn_buf values;
    uint32_t count;
    zn_buf block;
};

static uint64_t table_bytes(const zn_exchange_file *file) {
    return (file->parts + 2) * sizeof(uint64_t);
}

static void make_header(const zn_exchange_file *file, uint8_t out[HEADER_BYTES]) {
    memset(out, 0, HEADER_BYTES);
    memcpy(out, magic, sizeof magic);
    zn_put_u64(out + 8, file->parts);
    zn_put_u64(out + HEADER_CHECKED, zn_checksum((zn_bytes){ out, HEADER_CHECKED }));
}

static bool has_header(const zn_exchange_file *file) {
    uint8_t expected[HEADER_BYTES];
    uint8_t found[HEADER_BYTES];
    make_header(file, expected);
    return zn_file_read_at(file->fd, found, sizeof found, 0) == HEADER_BYTES &&
           memcmp(found, expected, sizeof found) == 0;
}

static zonda_err lock(const zn_exchange_file *file, bool (*cancelled)(void *context), void *context,
                      zonda_error *error) {
    const struct timespec pause = { .tv_nsec = LOCK_WAIT_MS * (long)ZN_NS_PER_MS };
    while (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return zn_file_failed(error, file->path, "cannot lock the file");
        }
        if (cancelled(context)) {
            return zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled");
        }
        nanosleep(&pause, NULL);
    }
    return ZONDA_OK;
}

/* Whether the file that was opened still has its name: one that was discarded is nobody's. */
static bool has_name(const zn_exchange_file *file) {
    struct stat opened;
    struct stat named;
    return fstat(file->fd, &opened) == 0 && stat(file->path, &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* Opens and locks the file of that name, also if another takes the name away meanwhile. */
static zonda_err open_locked(zn_exchange_file *file, bool (*cancelled)(void *context),
                             void *context, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    do {
        zn_file_close(&file->fd);
        file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        code = file->fd < 0 ? zn_file_failed(error, file->path, "cannot open the file")
                            : lock(file, cancelled, context, error);
    } while (code == ZONDA_OK && !has_name(file));
    return code;
}

static zonda_err begin(zn_exchange_file *file, zonda_error *error) {
    if (ftruncate(file->fd, 0) != 0) {
        return zn_file_failed(error, file->path, "cannot empty the file");
    }
    file->offsets = zn_calloc(file->parts + 2, sizeof *file->offsets);
    file->end = HEADER_BYTES + table_bytes(file);
    file->offsets[0] = file->end;
    return ZONDA_OK;
}

zn_exchange_file *zn_exchange_file_open(const char *path, uint64_t parts,
                                        bool (*cancelled)(void *context), void *context,
                                        zonda_error *error) {
    zn_exchange_file *file = ZN_NEW(zn_exchange_file);
    file->path = zn_strdup(path);
    file->fd = -1;
    file->parts = parts;
    file->codec = zn_block_codec_new();
    zonda_err code = open_locked(file, cancelled, context, error);
    if (code == ZONDA_OK) {
        file->whole = has_header(file);
        code = file->whole ? ZONDA_OK : begin(file, error);
    }
    if (code != ZONDA_OK) {
        zn_exchange_file_close(&file);
    }
    return file;
}

void zn_exchange_file_close(zn_exchange_file **file) {
    zn_exchange_file *self = *file;
    if (self == NULL) {
        return;
    }
    zn_file_close(&self->fd);
    zn_block_codec_destroy(&self->codec);
    zn_buf_free(&self->values);
    zn_buf_free(&self->block);
    free(self->offsets);
    free(self->path);
    free(self);
    *file = NULL;
}

bool zn_exchange_file_is_whole(const zn_exchange_file *file) {
    return file->whole;
}

/* ---- making it ---- */

static zonda_err write_at(const zn_exchange_file *file, zn_bytes bytes, uint64_t offset,
                          zonda_error *error) {
    return zn_file_write_at(file->fd, bytes, offset)
               ? ZONDA_OK
               : zn_file_failed(error, file->path, "cannot write the file");
}

static zonda_err write_block(zn_exchange_file *file, zonda_error *error) {
    if (file->count == 0) {
        return ZONDA_OK;
    }
    zn_buf_reset(&file->block, KEEP_BYTES);
    zn_block_pack(file->codec, zn_buf_bytes(&file->values), file->count, &file->block);
    zonda_err code = write_at(file, zn_buf_bytes(&file->block), file->end, error);
    file->end += file->block.len;
    file->count = 0;
    zn_buf_reset(&file->values, KEEP_BYTES);
    return code;
}

/* Ends all parts before this one. */
static zonda_err go_to(zn_exchange_file *file, uint64_t part, zonda_error *error) {
    ZN_ASSERT(!file->whole && part >= file->part && part <= file->parts + 1);
    zonda_err code = part > file->part ? write_block(file, error) : ZONDA_OK;
    while (code == ZONDA_OK && file->part < part) {
        file->offsets[++file->part] = file->end;
    }
    return code;
}

zonda_err zn_exchange_file_put(zn_exchange_file *file, uint64_t part, zn_bytes value,
                               zonda_error *error) {
    zonda_err code = go_to(file, part, error);
    if (code != ZONDA_OK) {
        return code;
    }
    zn_buf_append(&file->values, value.data, value.len);
    file->count++;
    return file->values.len < ZN_BLOCK_RAW_BYTES ? ZONDA_OK : write_block(file, error);
}

zonda_err zn_exchange_file_finish(zn_exchange_file *file, zonda_error *error) {
    zonda_err code = go_to(file, file->parts + 1, error);
    if (code != ZONDA_OK) {
        return code;
    }
    for (uint64_t i = 0; i < file->parts + 2; i++) {
        uint64_t offset = file->offsets[i];
        zn_put_u64((uint8_t *)&file->offsets[i], offset);
    }
    zn_bytes table = { (const uint8_t *)file->offsets, table_bytes(file) };
    code = write_at(file, table, HEADER_BYTES, error);
    uint8_t header[HEADER_BYTES];
    make_header(file, header);
    if (code == ZONDA_OK) {
        code = write_at(file, (zn_bytes){ header, sizeof header }, 0, error);
    }
    file->whole = code == ZONDA_OK;
    return code;
}

void zn_exchange_file_unlock(zn_exchange_file *file) {
    flock(file->fd, LOCK_UN);
}

/* ---- reading it ---- */

static zonda_err corrupt(const zn_exchange_file *file, uint64_t part, const char *what,
                         zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_CORRUPT, "part %" PRIu64 " of %s: %s", part, file->path,
                        what);
}

/* Appends the values of the blocks that `stored` is made of. */
static zonda_err unpack(zn_exchange_file *file, uint64_t part, zn_bytes stored, zn_buf *out,
                        zonda_error *error) {
    while (stored.len > 0) {
        zn_bytes values = { 0 };
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        zonda_error cause = { 0 };
        if (zn_block_unpack(file->codec, stored, &values, &count, &used, &need, &cause) !=
            ZONDA_OK) {
            return corrupt(file, part, cause.text, error);
        }
        zn_buf_append(out, values.data, values.len);
        stored.data += used;
        stored.len -= used;
    }
    return ZONDA_OK;
}

/* Reads `size` bytes, and no fewer. */
static zonda_err read_at(const zn_exchange_file *file, uint64_t part, uint64_t offset, uint8_t *out,
                         size_t size, zonda_error *error) {
    long got = zn_file_read_at(file->fd, out, size, offset);
    if (got < 0) {
        return zn_file_failed(error, file->path, "cannot read the file");
    }
    return (size_t)got == size ? ZONDA_OK : corrupt(file, part, "the file is too short", error);
}

zonda_err zn_exchange_file_read(zn_exchange_file *file, uint64_t part, zn_buf *out,
                                zonda_error *error) {
    ZN_ASSERT(file->whole && part <= file->parts);
    uint8_t ends[2 * sizeof(uint64_t)];
    zonda_err code =
        read_at(file, part, HEADER_BYTES + part * sizeof(uint64_t), ends, sizeof ends, error);
    if (code != ZONDA_OK) {
        return code;
    }
    uint64_t first = zn_get_u64(ends);
    uint64_t end = zn_get_u64(ends + sizeof(uint64_t));
    struct stat status;
    if (fstat(file->fd, &status) != 0 || first > end || end > (uint64_t)status.st_size) {
        return corrupt(file, part, "it is not inside the file", error);
    }
    zn_buf_reset(&file->block, KEEP_BYTES);
    zn_buf_reserve(&file->block, end - first);
    code = read_at(file, part, first, file->block.data, end - first, error);
    if (code == ZONDA_OK) {
        code = unpack(file, part, (zn_bytes){ file->block.data, end - first }, out, error);
    }
    return code;
}

void zn_exchange_file_discard(zn_exchange_file *file) {
    if (has_name(file)) {
        unlink(file->path);
    }
}
