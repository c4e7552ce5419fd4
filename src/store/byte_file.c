/* SPDX-License-Identifier: MPL-2.0 */
/* A temporary file of bytes. What was appended last waits in a buffer until there is enough of it
 * for a write; a read that reaches into the buffer writes it out first. Used by the table of
 * broadcast joins. */
#include "store/byte_file.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/file.h"

struct zn_byte_file {
    char *scratch; /* for messages */
    int fd;
    uint64_t written;
    zn_buf pending; /* behind what is written */
};

zn_byte_file *zn_byte_file_new(const char *scratch, zonda_error *error) {
    int fd = zn_file_temporary(scratch, error);
    if (fd < 0) {
        return NULL;
    }
    zn_byte_file *file = ZN_NEW(zn_byte_file);
    file->scratch = zn_strdup(scratch);
    file->fd = fd;
    return file;
}

void zn_byte_file_destroy(zn_byte_file **file) {
    zn_byte_file *self = *file;
    if (self == NULL) {
        return;
    }
    zn_file_close(&self->fd);
    zn_buf_free(&self->pending);
    free(self->scratch);
    free(self);
    *file = NULL;
}

static zonda_err write_out(zn_byte_file *file, zn_bytes bytes, zonda_error *error) {
    if (!zn_file_write_at(file->fd, bytes, file->written)) {
        return zn_file_failed(error, file->scratch, "cannot write a temporary file");
    }
    file->written += bytes.len;
    return ZONDA_OK;
}

static zonda_err flush(zn_byte_file *file, zonda_error *error) {
    zonda_err code = write_out(file, zn_buf_bytes(&file->pending), error);
    if (code == ZONDA_OK) {
        zn_buf_reset(&file->pending, ZN_BYTE_FILE_MEMORY_BYTES);
    }
    return code;
}

zonda_err zn_byte_file_append(zn_byte_file *file, zn_bytes bytes, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    if (file->pending.len + bytes.len > ZN_BYTE_FILE_MEMORY_BYTES) {
        code = flush(file, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    if (bytes.len > ZN_BYTE_FILE_MEMORY_BYTES) {
        return write_out(file, bytes, error);
    }
    zn_buf_append(&file->pending, bytes.data, bytes.len);
    return ZONDA_OK;
}

uint64_t zn_byte_file_size(const zn_byte_file *file) {
    return file->written + file->pending.len;
}

zonda_err zn_byte_file_read(zn_byte_file *file, uint64_t offset, size_t len, zn_buf *out,
                            zonda_error *error) {
    ZN_ASSERT(offset <= zn_byte_file_size(file) && len <= zn_byte_file_size(file) - offset);
    if (offset + len > file->written) {
        zonda_err code = flush(file, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    zn_buf_reset(out, ZN_BYTE_FILE_MEMORY_BYTES);
    zn_buf_reserve(out, len);
    long got = zn_file_read_at(file->fd, out->data, len, offset);
    if (got < 0) {
        return zn_file_failed(error, file->scratch, "cannot read a temporary file");
    }
    if ((size_t)got != len) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a temporary file in %s has become shorter",
                            file->scratch);
    }
    out->len = len;
    return ZONDA_OK;
}
