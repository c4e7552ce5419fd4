/* SPDX-License-Identifier: MPL-2.0 */
/* Temporary files. One is written from front to back in blocks; a stretch is what was added between
 * two ends, so many sorted runs share a file, a descriptor and a codec. Readers have only their raw
 * block; the stored one passes through a buffer of the file. So a merge of hundreds of runs costs a
 * block for each.
 *
 * The first bytes stay in memory, and only what exceeds them makes a file: a short run is written
 * and read within microseconds, while making and removing a file can take a millisecond.
 *
 * Used by the sorter and the merge, and by operators that keep more than fits into memory. */
#include "store/run_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/block.h"
#include "store/file.h"

enum {
    KEEP_BYTES = 2 * ZN_BLOCK_RAW_BYTES,        /* of the buffers for writing */
    HEAD_BYTES_MAX = 16 * ZN_KIB,               /* that need no file */
    KEYS_BYTES_MAX = 2 * ZN_KEY_BYTES_MAX + 64, /* two, and what sorter and merge put around them */
};

struct zn_run_file {
    char *scratch;
    int fd; /* -1: all of it is in `head` */
    zn_buf head;
    uint64_t start; /* of the stretch in work */
    uint64_t end;   /* where the next block goes */
    zn_buf records; /* of the block in work */
    uint32_t count;
    zn_buf stored;
    zn_block_codec *codec;
    uint64_t block_bytes; /* raw, of the largest block */
};

struct zn_run_reader {
    zn_run_file *file;
    zn_stretch left;
    zn_buf raw;
    zn_memory *memory;
    uint64_t charged;
};

zn_run_file *zn_run_file_new(const char *scratch, zonda_error *error) {
    if (access(scratch, W_OK) != 0) {
        zn_file_failed(error, scratch, "cannot make a temporary file");
        return NULL;
    }
    zn_run_file *file = ZN_NEW(zn_run_file);
    file->scratch = zn_strdup(scratch);
    file->fd = -1;
    file->codec = zn_block_codec_new();
    zn_block_codec_trust(file->codec);
    return file;
}

void zn_run_file_destroy(zn_run_file **file) {
    zn_run_file *self = *file;
    if (self == NULL) {
        return;
    }
    zn_file_close(&self->fd);
    zn_buf_free(&self->head);
    zn_buf_free(&self->records);
    zn_buf_free(&self->stored);
    zn_block_codec_destroy(&self->codec);
    free(self->scratch);
    free(self);
    *file = NULL;
}

/* Makes the file, with what was in memory so far. */
static zonda_err make_file(zn_run_file *file, zonda_error *error) {
    int fd = zn_file_temporary(file->scratch, error);
    if (fd < 0) {
        return error->code;
    }
    if (!zn_file_write_at(fd, zn_buf_bytes(&file->head), 0)) {
        zn_file_close(&fd);
        return zn_file_failed(error, file->scratch, "cannot write a temporary file");
    }
    file->fd = fd;
    zn_buf_free(&file->head);
    return ZONDA_OK;
}

/* Puts the stored block behind all others. */
static zonda_err store_block(zn_run_file *file, zonda_error *error) {
    bool fits = file->head.len + file->stored.len <= HEAD_BYTES_MAX;
    if (file->fd < 0 && fits) {
        zn_buf_append(&file->head, file->stored.data, file->stored.len);
        return ZONDA_OK;
    }
    zonda_err code = file->fd < 0 ? make_file(file, error) : ZONDA_OK;
    if (code == ZONDA_OK && !zn_file_write_at(file->fd, zn_buf_bytes(&file->stored), file->end)) {
        code = zn_file_failed(error, file->scratch, "cannot write a temporary file");
    }
    return code;
}

static zonda_err write_block(zn_run_file *file, zonda_error *error) {
    zn_buf_reset(&file->stored, KEEP_BYTES);
    zn_block_pack(file->codec, zn_buf_bytes(&file->records), file->count, &file->stored);
    zonda_err code = store_block(file, error);
    if (code != ZONDA_OK) {
        return code;
    }
    file->end += file->stored.len;
    uint64_t bytes = file->records.len;
    file->block_bytes = bytes > file->block_bytes ? bytes : file->block_bytes;
    file->count = 0;
    zn_buf_reset(&file->records, KEEP_BYTES);
    return ZONDA_OK;
}

zonda_err zn_run_file_add(zn_run_file *file, zn_bytes key, zn_bytes record, zonda_error *error) {
    if (key.len > KEYS_BYTES_MAX || record.len > ZN_RECORD_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a row with a key of %zu bytes and a record of %zu is above the limits "
                            "of %d and %d",
                            key.len, record.len, 2 * ZN_KEY_BYTES_MAX, ZN_RECORD_BYTES_MAX);
    }
    if (key.len > 0) {
        zn_row_put(&file->records, key, record);
    } else {
        zn_buf_append(&file->records, record.data, record.len);
    }
    file->count += key.len > 0 ? 2 : 1;
    return file->records.len < ZN_BLOCK_RAW_BYTES ? ZONDA_OK : write_block(file, error);
}

zonda_err zn_run_file_end(zn_run_file *file, zn_stretch *out, zonda_error *error) {
    zonda_err code = file->count > 0 ? write_block(file, error) : ZONDA_OK;
    if (code == ZONDA_OK) {
        *out = (zn_stretch){ .offset = file->start, .length = file->end - file->start };
        file->start = file->end;
    }
    return code;
}

uint64_t zn_run_file_bytes(const zn_run_file *file) {
    return file->end;
}

uint64_t zn_run_file_block_bytes(const zn_run_file *file) {
    return file->block_bytes;
}

/* ---- reading ---- */

zn_run_reader *zn_run_reader_new(zn_run_file *file, zn_stretch stretch, zn_memory *memory) {
    zn_run_reader *reader = ZN_NEW(zn_run_reader);
    reader->file = file;
    reader->left = stretch;
    reader->memory = memory;
    return reader;
}

void zn_run_reader_destroy(zn_run_reader **reader) {
    zn_run_reader *self = *reader;
    if (self == NULL) {
        return;
    }
    zn_memory_give(self->memory, self->charged);
    zn_buf_free(&self->raw);
    free(self);
    *reader = NULL;
}

static void charge(zn_run_reader *reader) {
    zn_memory_give(reader->memory, reader->charged);
    zn_memory_force(reader->memory, reader->raw.capacity);
    reader->charged = reader->raw.capacity;
}

/* As zn_file_read_at. */
static long read_at(const zn_run_file *file, uint8_t *out, size_t len, uint64_t offset) {
    if (file->fd >= 0) {
        return zn_file_read_at(file->fd, out, len, offset);
    }
    size_t there = offset < file->head.len ? file->head.len - (size_t)offset : 0;
    size_t got = len < there ? len : there;
    if (got > 0) {
        memcpy(out, file->head.data + offset, got);
    }
    return (long)got;
}

/* Fills the file's buffer with the first `size` bytes of what is left. */
static zonda_err load(const zn_run_reader *reader, size_t size, zonda_error *error) {
    zn_run_file *file = reader->file;
    if (size > reader->left.length) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a block is longer than the run");
    }
    size_t more = size - file->stored.len;
    zn_buf_reserve(&file->stored, more);
    long got = read_at(file, file->stored.data + file->stored.len, more,
                       reader->left.offset + file->stored.len);
    if (got < 0) {
        return zn_file_failed(error, file->scratch, "cannot read a temporary file");
    }
    file->stored.len += (size_t)got;
    if ((size_t)got < more) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a temporary file is cut off");
    }
    return ZONDA_OK;
}

static zonda_err unpack(zn_run_reader *reader, zn_bytes *values, uint32_t *count, size_t *used,
                        size_t *need, zonda_error *error) {
    return zn_block_unpack_to(reader->file->codec, zn_buf_bytes(&reader->file->stored),
                              &reader->raw, values, count, used, need, error);
}

/* Reads the header, which says how much to read, then the rest. */
static zonda_err read_block(zn_run_reader *reader, zn_bytes *values, uint32_t *count, size_t *used,
                            zonda_error *error) {
    size_t need = ZN_BLOCK_HEADER_BYTES;
    zonda_error cause = { 0 };
    zn_buf_reset(&reader->file->stored, KEEP_BYTES);
    zonda_err code = load(reader, need, &cause);
    if (code == ZONDA_OK) {
        code = unpack(reader, values, count, used, &need, &cause);
    }
    if (code == ZONDA_ERR_NOT_FOUND) {
        code = load(reader, need, &cause);
        if (code == ZONDA_OK) {
            code = unpack(reader, values, count, used, &need, &cause);
        }
    }
    if (code != ZONDA_OK) {
        *error = cause;
    }
    return code;
}

/* A block that was not compressed lies in the file's buffer, which the next reader overwrites. */
static void keep_values(zn_run_reader *reader, zn_bytes *values) {
    const zn_buf *stored = &reader->file->stored;
    zn_buf *raw = &reader->raw;
    if (values->data < stored->data || values->data >= stored->data + stored->len) {
        return;
    }
    if (raw->capacity < values->len) {
        zn_buf_free(raw);
        *raw = (zn_buf){ .data = zn_alloc(values->len), .capacity = values->len };
    }
    memcpy(raw->data, values->data, values->len);
    values->data = raw->data;
}

zonda_err zn_run_reader_next(zn_run_reader *reader, zn_bytes *values, uint32_t *count,
                             zonda_error *error) {
    zn_run_file *file = reader->file;
    if (reader->left.length == 0) {
        *values = (zn_bytes){ 0 };
        *count = 0;
        return ZONDA_OK;
    }
    size_t used = 0;
    zonda_err code = read_block(reader, values, count, &used, error);
    if (code == ZONDA_ERR_CORRUPT || code == ZONDA_ERR_LIMIT) {
        return zn_error_prefix(error, "a temporary file in %s at %" PRIu64 ": ", file->scratch,
                               reader->left.offset);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    keep_values(reader, values);
    charge(reader);
    reader->left.offset += used;
    reader->left.length -= used;
    return ZONDA_OK;
}
