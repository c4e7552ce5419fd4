/* SPDX-License-Identifier: MPL-2.0 */
/* Writing files through the streams under test, in the four formats. */
#ifndef ZN_TESTS_STORE_PACKED_H
#define ZN_TESTS_STORE_PACKED_H

#include "folder.h"

#include "store/stream.h"

static const char *const packed_suffixes[] = { "", ".gz", ".zst", ".xz" };
enum {
    PACKED_SUFFIXES = 4
};

/* Appends `bytes` as one more member or frame, in writes of `piece` bytes. */
static inline void packed_append(const char *path, zn_bytes bytes, size_t piece) {
    zonda_error error = { 0 };
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    zn_out_stream *stream = zn_out_stream_new(fd, zn_compression_of(path, NULL), 0);
    for (size_t at = 0; at < bytes.len; at += piece) {
        zn_bytes part = { bytes.data + at, bytes.len - at < piece ? bytes.len - at : piece };
        assert_ok(zn_out_stream_write(stream, part, &error), error);
    }
    assert_ok(zn_out_stream_finish(stream, &error), error);
    zn_out_stream_destroy(&stream);
    close(fd);
}

/* Reads all with reads of `piece` bytes; the code of the first failure. */
static inline zonda_err packed_read(const char *path, size_t piece, zn_buf *out,
                                    zonda_error *error) {
    zn_in_stream *stream = zn_in_stream_open(path, error);
    assert_non_null(stream);
    uint8_t *room = malloc(piece);
    zonda_err code = ZONDA_OK;
    size_t got = 1;
    while (code == ZONDA_OK && got > 0) {
        code = zn_in_stream_read(stream, room, piece, &got, error);
        zn_buf_append(out, room, code == ZONDA_OK ? got : 0);
    }
    if (code != ZONDA_OK) {
        zonda_error again = { 0 };
        assert_int_equal(zn_in_stream_read(stream, room, piece, &got, &again), code);
        assert_string_equal(again.text, error->text);
    }
    free(room);
    zn_in_stream_destroy(&stream);
    return code;
}

#endif
