/* SPDX-License-Identifier: MPL-2.0 */
/* Lines out of a stream. A line that lies whole in the buffer is lent from there; only when the
 * buffer ends inside a line are its bytes moved to the front and more read behind them. The buffer
 * grows with the line, up to the limit, and `scanned` remembers where the search for the newline
 * stopped, so a long line is searched once.
 *
 * A line above the limit is reported as soon as that is certain. The bytes behind are dropped at
 * the next call, without keeping them, so reading goes on with the next line. */
#include "store/line_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/stream.h"

enum {
    BUFFER_BYTES = 256 * ZN_KIB
};

struct zn_line_reader {
    char *path;
    zn_in_stream *stream;
    size_t line_max;
    uint8_t *buffer;
    size_t capacity;
    size_t start;   /* first byte that was not returned yet */
    size_t scanned; /* no newline in [start, scanned) */
    size_t end;
    bool ended;
    bool skipping; /* drop everything up to the next newline */
    uint64_t number;
};

zn_line_reader *zn_line_reader_open(const char *path, size_t line_max, zonda_error *error) {
    zn_in_stream *stream = zn_in_stream_open(path, error);
    if (stream == NULL) {
        return NULL;
    }
    zn_line_reader *reader = ZN_NEW(zn_line_reader);
    reader->path = zn_strdup(path);
    reader->stream = stream;
    reader->line_max = line_max;
    reader->buffer = zn_alloc(BUFFER_BYTES);
    reader->capacity = BUFFER_BYTES;
    return reader;
}

void zn_line_reader_destroy(zn_line_reader **reader) {
    zn_line_reader *self = *reader;
    if (self == NULL) {
        return;
    }
    zn_in_stream_destroy(&self->stream);
    free(self->buffer);
    free(self->path);
    free(self);
    *reader = NULL;
}

/* Makes room behind the bytes that are there and reads into it. */
static zonda_err fill(zn_line_reader *reader, zonda_error *error) {
    if (reader->start > 0) {
        size_t kept = reader->end - reader->start;
        memmove(reader->buffer, reader->buffer + reader->start, kept);
        reader->scanned -= reader->start;
        reader->start = 0;
        reader->end = kept;
    }
    if (reader->end == reader->capacity) {
        reader->buffer = zn_realloc(reader->buffer, reader->capacity, 2);
        reader->capacity *= 2;
    }
    size_t got = 0;
    zonda_err code = zn_in_stream_read(reader->stream, reader->buffer + reader->end,
                                       reader->capacity - reader->end, &got, error);
    if (code != ZONDA_OK) {
        zn_error_at(error, reader->path, reader->number + 1, 0);
        return code;
    }
    reader->end += got;
    reader->ended = got == 0;
    return ZONDA_OK;
}

/* The next newline in the bytes that are there, or NULL. */
static const uint8_t *find_newline(zn_line_reader *reader) {
    if (reader->scanned == reader->end) {
        return NULL;
    }
    const uint8_t *newline =
        memchr(reader->buffer + reader->scanned, '\n', reader->end - reader->scanned);
    reader->scanned = newline != NULL ? (size_t)(newline - reader->buffer) : reader->end;
    return newline;
}

/* Drops the rest of a line that was too long. */
static zonda_err skip_rest(zn_line_reader *reader, zonda_error *error) {
    while (reader->skipping) {
        const uint8_t *newline = find_newline(reader);
        if (newline != NULL) {
            reader->scanned++;
        }
        reader->start = reader->scanned;
        reader->skipping = newline == NULL && !reader->ended;
        if (reader->skipping) {
            zonda_err code = fill(reader, error);
            if (code != ZONDA_OK) {
                return code;
            }
        }
    }
    return ZONDA_OK;
}

static zonda_err too_long(zn_line_reader *reader, zonda_error *error) {
    reader->number++;
    zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the line is longer than the limit of %zu bytes",
                 reader->line_max);
    zn_error_at(error, reader->path, reader->number, 0);
    return ZONDA_ERR_BAD_RECORD;
}

/* Takes [start, scanned) as a line, and the newline behind it if there is one. */
static zonda_err take_line(zn_line_reader *reader, bool newline, zn_bytes *line, bool *got,
                           zonda_error *error) {
    zn_bytes found = { reader->buffer + reader->start, reader->scanned - reader->start };
    if (newline && found.len > 0 && found.data[found.len - 1] == '\r') {
        found.len--;
    }
    reader->scanned += newline;
    reader->start = reader->scanned;
    if (found.len > reader->line_max) {
        return too_long(reader, error);
    }
    reader->number++;
    *line = found;
    *got = true;
    return ZONDA_OK;
}

zonda_err zn_line_reader_next(zn_line_reader *reader, zn_bytes *line, bool *got,
                              zonda_error *error) {
    zonda_err code = skip_rest(reader, error);
    while (code == ZONDA_OK) {
        if (find_newline(reader) != NULL) {
            return take_line(reader, true, line, got, error);
        }
        size_t open = reader->end - reader->start;
        if (reader->ended && open == 0) {
            *got = false;
            return ZONDA_OK;
        }
        if (reader->ended) {
            return take_line(reader, false, line, got, error);
        }
        /* One byte above the limit may still be the CR of its end. */
        if (open > reader->line_max && open - reader->line_max > 1) {
            reader->skipping = true;
            return too_long(reader, error);
        }
        code = fill(reader, error);
    }
    return code;
}

uint64_t zn_line_reader_number(const zn_line_reader *reader) {
    return reader->number;
}

uint64_t zn_line_reader_bytes(const zn_line_reader *reader) {
    return zn_in_stream_bytes(reader->stream);
}
