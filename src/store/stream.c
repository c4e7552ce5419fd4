/* SPDX-License-Identifier: MPL-2.0 */
/* Files read and written in order, through a coder where the suffix asks for one. Plain files are
 * read straight into the caller's memory; compressed ones come through a buffer of stored bytes.
 *
 * Writing collects raw bytes into pieces of one fixed size before they go on, so system calls and
 * coder calls are few, and the output does not depend on how the content was cut into writes.
 *
 * A stream that has failed stays failed with the same error: what a coder does after an error is
 * not defined, and half a file must not look whole. Used by the line reader and the sink file. */
#include "store/stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/profile.h"
#include "store/coder.h"
#include "store/file.h"

enum {
    PIECE_BYTES = 256 * ZN_KIB
};

struct zn_in_stream {
    char *path;
    int fd;
    zn_coder *decoder; /* NULL: plain */
    uint8_t *stored;   /* decoder: what was read and not decoded yet */
    size_t at;
    size_t len;
    bool ended; /* the file, not the decoder */
    uint64_t bytes;
    zonda_error failure;
};

struct zn_out_stream {
    int fd;
    zn_coder *encoder; /* NULL: plain */
    zn_buf raw;        /* collected, up to PIECE_BYTES */
    uint8_t *stored;   /* encoder: what it gave and is not written yet */
    size_t stored_len;
    uint64_t bytes;
    zonda_error failure;
};

static const struct {
    const char *suffix;
    zn_compression compression;
} suffixes[] = {
    { ".gz", ZN_COMPRESSION_GZIP },
    { ".zst", ZN_COMPRESSION_ZSTD },
    { ".zstd", ZN_COMPRESSION_ZSTD },
    { ".xz", ZN_COMPRESSION_XZ },
};

zn_compression zn_compression_of(const char *path, size_t *stem_len) {
    size_t len = strlen(path);
    zn_compression found = ZN_COMPRESSION_NONE;
    size_t stem = len;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix_len = strlen(suffixes[i].suffix);
        bool named = len > suffix_len && path[len - suffix_len - 1] != '/';
        if (named && strcmp(path + len - suffix_len, suffixes[i].suffix) == 0) {
            found = suffixes[i].compression;
            stem = len - suffix_len;
        }
    }
    if (stem_len != NULL) {
        *stem_len = stem;
    }
    return found;
}

bool zn_compression_available(zn_compression compression) {
#ifndef ZN_HAVE_ZLIB
    if (compression == ZN_COMPRESSION_GZIP) {
        return false;
    }
#endif
#ifndef ZN_HAVE_LZMA
    if (compression == ZN_COMPRESSION_XZ) {
        return false;
    }
#endif
    (void)compression;
    return true;
}

int zn_compression_level_max(zn_compression compression) {
    switch (compression) {
    case ZN_COMPRESSION_NONE:
        return 0;
    case ZN_COMPRESSION_GZIP:
        return 9;
    case ZN_COMPRESSION_ZSTD:
        return 22;
    case ZN_COMPRESSION_XZ:
        return 9;
    }
    ZN_UNREACHABLE();
}

static zonda_err unsupported(zn_compression compression, zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "this build has no %s",
                        compression == ZN_COMPRESSION_XZ ? "xz (liblzma)" : "gzip (zlib)");
}

static zn_coder *new_decoder(zn_compression compression) {
    switch (compression) {
    case ZN_COMPRESSION_GZIP:
        return zn_gzip_decoder_new();
    case ZN_COMPRESSION_ZSTD:
        return zn_zstd_decoder_new();
    case ZN_COMPRESSION_XZ:
        return zn_xz_decoder_new();
    case ZN_COMPRESSION_NONE:
        break;
    }
    return NULL;
}

static zn_coder *new_encoder(zn_compression compression, int level) {
    switch (compression) {
    case ZN_COMPRESSION_GZIP:
        return zn_gzip_encoder_new(level);
    case ZN_COMPRESSION_ZSTD:
        return zn_zstd_encoder_new(level);
    case ZN_COMPRESSION_XZ:
        return zn_xz_encoder_new(level);
    case ZN_COMPRESSION_NONE:
        break;
    }
    return NULL;
}

/* Remembers a failure and returns it, now and at every later call. */
static zonda_err fail(zonda_error *failure, zonda_error *error) {
    if (error != NULL) {
        *error = *failure;
    }
    return failure->code;
}

static int open_to_read(const char *path, zonda_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        zn_file_failed(error, path, "cannot open");
        return -1;
    }
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot read: it is a directory");
        zn_error_at(error, path, 0, 0);
        zn_file_close(&fd);
        return -1;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

zn_in_stream *zn_in_stream_open(const char *path, zonda_error *error) {
    zn_compression compression = zn_compression_of(path, NULL);
    if (!zn_compression_available(compression)) {
        unsupported(compression, error);
        zn_error_at(error, path, 0, 0);
        return NULL;
    }
    int fd = open_to_read(path, error);
    if (fd < 0) {
        return NULL;
    }
    zn_in_stream *stream = ZN_NEW(zn_in_stream);
    stream->path = zn_strdup(path);
    stream->fd = fd;
    if (compression != ZN_COMPRESSION_NONE) {
        stream->decoder = new_decoder(compression);
        stream->stored = zn_alloc(PIECE_BYTES);
    }
    return stream;
}

void zn_in_stream_destroy(zn_in_stream **stream) {
    zn_in_stream *self = *stream;
    if (self == NULL) {
        return;
    }
    zn_file_close(&self->fd);
    zn_coder_destroy(&self->decoder);
    free(self->stored);
    free(self->path);
    free(self);
    *stream = NULL;
}

static zonda_err read_file(zn_in_stream *stream, uint8_t *out, size_t size, size_t *got) {
    long count = zn_file_read(stream->fd, out, size);
    if (count < 0) {
        return zn_file_failed(&stream->failure, stream->path, "cannot read");
    }
    stream->bytes += (uint64_t)count;
    *got = (size_t)count;
    return ZONDA_OK;
}

static zonda_err fill(zn_in_stream *stream) {
    stream->at = 0;
    zonda_err code = read_file(stream, stream->stored, PIECE_BYTES, &stream->len);
    stream->ended = code == ZONDA_OK && stream->len == 0;
    return code;
}

static zonda_err read_decoded(zn_in_stream *stream, uint8_t *out, size_t size, size_t *got) {
    bool done = false;
    size_t given = 0;
    while (given == 0 && !done) {
        if (stream->at == stream->len && !stream->ended && fill(stream) != ZONDA_OK) {
            return stream->failure.code;
        }
        zn_coder_io io = { .in = stream->stored + stream->at,
                           .in_len = stream->len - stream->at,
                           .out = out,
                           .out_len = size,
                           .last = stream->ended };
        zonda_err code = stream->decoder->step(stream->decoder, &io, &done, &stream->failure);
        if (code != ZONDA_OK) {
            zn_error_at(&stream->failure, stream->path, 0, 0);
            return code;
        }
        stream->at = stream->len - io.in_len;
        given = size - io.out_len;
    }
    *got = given;
    return ZONDA_OK;
}

zonda_err zn_in_stream_read(zn_in_stream *stream, uint8_t *out, size_t size, size_t *got,
                            zonda_error *error) {
    ZN_ASSERT(size > 0);
    if (stream->failure.code == ZONDA_OK) {
        int before = zn_profile_enter(ZN_SECTION_READING);
        zonda_err code = stream->decoder == NULL ? read_file(stream, out, size, got)
                                                 : read_decoded(stream, out, size, got);
        zn_profile_leave(before);
        if (code == ZONDA_OK) {
            return ZONDA_OK;
        }
    }
    return fail(&stream->failure, error);
}

zonda_err zn_in_stream_seek(zn_in_stream *stream, uint64_t offset, zonda_error *error) {
    struct stat status;
    if (stream->decoder != NULL) {
        zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "a compressed file is only read from its start");
        zn_error_at(error, stream->path, 0, 0);
        return ZONDA_ERR_UNSUPPORTED;
    }
    if (fstat(stream->fd, &status) != 0 || lseek(stream->fd, (off_t)offset, SEEK_SET) < 0) {
        return zn_file_failed(error, stream->path, "cannot read from the middle");
    }
    if ((uint64_t)status.st_size < offset) {
        zn_error_set(error, ZONDA_ERR_IO, "the file is shorter than when the plan was made");
        zn_error_at(error, stream->path, 0, 0);
        return ZONDA_ERR_IO;
    }
    return ZONDA_OK;
}

uint64_t zn_in_stream_bytes(const zn_in_stream *stream) {
    return stream->bytes;
}

zn_out_stream *zn_out_stream_new(int fd, zn_compression compression, int level) {
    zn_out_stream *stream = ZN_NEW(zn_out_stream);
    stream->fd = fd;
    zn_buf_reserve(&stream->raw, PIECE_BYTES);
    if (!zn_compression_available(compression)) {
        unsupported(compression, &stream->failure);
    } else if (compression != ZN_COMPRESSION_NONE) {
        stream->encoder = new_encoder(compression, level);
        stream->stored = zn_alloc(PIECE_BYTES);
    }
    return stream;
}

void zn_out_stream_destroy(zn_out_stream **stream) {
    zn_out_stream *self = *stream;
    if (self == NULL) {
        return;
    }
    zn_coder_destroy(&self->encoder);
    zn_buf_free(&self->raw);
    free(self->stored);
    free(self);
    *stream = NULL;
}

static zonda_err write_file(zn_out_stream *stream, zn_bytes bytes) {
    int before = zn_profile_enter(ZN_SECTION_WRITING);
    bool written = zn_file_write(stream->fd, bytes);
    zn_profile_leave(before);
    if (!written) {
        return zn_file_failed(&stream->failure, NULL, "cannot write");
    }
    stream->bytes += bytes.len;
    return ZONDA_OK;
}

static zonda_err write_stored(zn_out_stream *stream) {
    zonda_err code = write_file(stream, (zn_bytes){ stream->stored, stream->stored_len });
    stream->stored_len = 0;
    return code;
}

static zonda_err write_encoded(zn_out_stream *stream, bool last) {
    zn_coder_io io = { .in = stream->raw.data, .in_len = stream->raw.len, .last = last };
    bool done = false;
    while (io.in_len > 0 || (last && !done)) {
        io.out = stream->stored + stream->stored_len;
        io.out_len = PIECE_BYTES - stream->stored_len;
        zonda_err code = stream->encoder->step(stream->encoder, &io, &done, &stream->failure);
        if (code != ZONDA_OK) {
            return code;
        }
        stream->stored_len = PIECE_BYTES - io.out_len;
        if (io.out_len == 0 && write_stored(stream) != ZONDA_OK) {
            return stream->failure.code;
        }
    }
    return last ? write_stored(stream) : ZONDA_OK;
}

static zonda_err write_piece(zn_out_stream *stream, bool last) {
    int before = zn_profile_enter(ZN_SECTION_COMPRESSING);
    zonda_err code = stream->encoder != NULL ? write_encoded(stream, last)
                                             : write_file(stream, zn_buf_bytes(&stream->raw));
    zn_profile_leave(before);
    zn_buf_reset(&stream->raw, PIECE_BYTES);
    return code;
}

zonda_err zn_out_stream_write(zn_out_stream *stream, zn_bytes bytes, zonda_error *error) {
    while (bytes.len > 0 && stream->failure.code == ZONDA_OK) {
        size_t room = PIECE_BYTES - stream->raw.len;
        size_t taken = bytes.len < room ? bytes.len : room;
        zn_buf_append(&stream->raw, bytes.data, taken);
        bytes.data += taken;
        bytes.len -= taken;
        if (stream->raw.len == PIECE_BYTES) {
            write_piece(stream, false);
        }
    }
    return stream->failure.code == ZONDA_OK ? ZONDA_OK : fail(&stream->failure, error);
}

zonda_err zn_out_stream_finish(zn_out_stream *stream, zonda_error *error) {
    if (stream->failure.code == ZONDA_OK && write_piece(stream, true) == ZONDA_OK) {
        return ZONDA_OK;
    }
    return fail(&stream->failure, error);
}

uint64_t zn_out_stream_bytes(const zn_out_stream *stream) {
    return stream->bytes;
}
