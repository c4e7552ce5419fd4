/* SPDX-License-Identifier: MPL-2.0 */
/* Records out of a stream. A record that lies whole in the buffer is lent from there; only when the
 * buffer ends inside one are its bytes moved to the front and more read behind them. The buffer
 * grows with the record, up to the limit, and `scanned` remembers how far the framer has seen, so
 * that a long record is searched once. A record above the limit is given as far as it came, and its
 * rest in pieces that are not kept, so reading goes on behind it in the same memory.
 *
 * A range owns the records that begin in it. Reading one that is not aligned starts a byte before
 * it and drops everything up to the first newline: that newline may be that very byte. Used by the
 * readers of all formats. */
#include "store/splitter.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/stream.h"

enum {
    BUFFER_BYTES_FIRST = 32 * ZN_KIB, /* enough for a small file */
    BUFFER_BYTES = 256 * ZN_KIB
};

struct zn_splitter {
    char *path;
    zn_in_stream *stream;
    zn_framer framer;
    size_t record_max;
    uint8_t *buffer;
    size_t capacity;
    size_t start;   /* first byte that was not given yet */
    size_t scanned; /* the framer has seen [start, scanned) */
    size_t end;
    uint64_t position; /* in the file, of `start` */
    uint64_t range_end;
    bool ended;
    bool dropping; /* inside a record whose start was given or is not wanted */
};

static zonda_err seek_range(zn_splitter *splitter, zn_file_range range, zonda_error *error) {
    splitter->range_end = range.length == 0 ? UINT64_MAX : range.offset + range.length;
    if (splitter->range_end < range.offset) {
        splitter->range_end = UINT64_MAX;
    }
    if (range.offset == 0) {
        return ZONDA_OK;
    }
    splitter->dropping = !range.aligned;
    splitter->position = range.aligned ? range.offset : range.offset - 1;
    return zn_in_stream_seek(splitter->stream, splitter->position, error);
}

zn_splitter *zn_splitter_open(const char *path, zn_framer framer, zn_file_range range,
                              size_t record_max, zonda_error *error) {
    zn_in_stream *stream = zn_in_stream_open(path, error);
    if (stream == NULL) {
        return NULL;
    }
    zn_splitter *splitter = ZN_NEW(zn_splitter);
    splitter->path = zn_strdup(path);
    splitter->stream = stream;
    splitter->framer = framer;
    splitter->record_max = record_max;
    splitter->buffer = zn_calloc(BUFFER_BYTES_FIRST + ZN_SPLITTER_PADDING, 1);
    splitter->capacity = BUFFER_BYTES_FIRST;
    if (seek_range(splitter, range, error) != ZONDA_OK) {
        zn_splitter_destroy(&splitter);
    }
    return splitter;
}

void zn_splitter_destroy(zn_splitter **splitter) {
    zn_splitter *self = *splitter;
    if (self == NULL) {
        return;
    }
    zn_in_stream_destroy(&self->stream);
    free(self->buffer);
    free(self->path);
    free(self);
    *splitter = NULL;
}

/* Makes room behind the bytes that are there. */
static void make_room(zn_splitter *splitter) {
    if (splitter->start > 0) {
        size_t kept = splitter->end - splitter->start;
        memmove(splitter->buffer, splitter->buffer + splitter->start, kept);
        splitter->scanned -= splitter->start;
        splitter->start = 0;
        splitter->end = kept;
    }
    size_t wanted = splitter->capacity;
    if (splitter->position > 0 && wanted < BUFFER_BYTES) {
        wanted = BUFFER_BYTES;
    }
    if (splitter->end == wanted) {
        wanted *= 2;
    }
    if (wanted != splitter->capacity) {
        splitter->buffer = zn_realloc(splitter->buffer, wanted + ZN_SPLITTER_PADDING, 1);
        memset(splitter->buffer + splitter->end, 0, wanted + ZN_SPLITTER_PADDING - splitter->end);
        splitter->capacity = wanted;
    }
}

static zonda_err fill(zn_splitter *splitter, zonda_error *error) {
    make_room(splitter);
    size_t got = 0;
    zonda_err code = zn_in_stream_read(splitter->stream, splitter->buffer + splitter->end,
                                       splitter->capacity - splitter->end, &got, error);
    if (code != ZONDA_OK) {
        zn_error_at(error, splitter->path, splitter->framer.lines + 1, 0);
        return code;
    }
    splitter->end += got;
    splitter->ended = got == 0;
    return ZONDA_OK;
}

/* Lets the framer see what is there; true if a record ends at `scanned`. */
static bool scan(zn_splitter *splitter) {
    bool whole = false;
    zn_bytes bytes = { splitter->buffer + splitter->scanned, splitter->end - splitter->scanned };
    splitter->scanned += splitter->framer.scan(&splitter->framer, bytes, &whole);
    return whole;
}

/* Gives [start, stop) and moves behind it. */
static zn_bytes take(zn_splitter *splitter, size_t stop) {
    zn_bytes bytes = { splitter->buffer + splitter->start, stop - splitter->start };
    splitter->start = stop;
    splitter->scanned = stop;
    splitter->position += bytes.len;
    return bytes;
}

zonda_err zn_splitter_rest(zn_splitter *splitter, zn_bytes *out, bool *got, zonda_error *error) {
    *got = false;
    while (splitter->dropping) {
        bool whole = scan(splitter);
        if (whole || (splitter->ended && splitter->start == splitter->end)) {
            splitter->dropping = false;
        }
        size_t stop = splitter->ended && !whole ? splitter->end : splitter->scanned;
        if (stop > splitter->start) {
            *out = take(splitter, stop);
            *got = true;
            return ZONDA_OK;
        }
        zonda_err code = splitter->dropping ? fill(splitter, error) : ZONDA_OK;
        if (code != ZONDA_OK) {
            return code;
        }
    }
    return ZONDA_OK;
}

/* Passes the rest of a record that was cut, or began before the range; stops where that ends. */
static zonda_err pass_rest(zn_splitter *splitter, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    while (splitter->dropping && code == ZONDA_OK && splitter->position < splitter->range_end) {
        zn_bytes ignored;
        bool got = false;
        code = zn_splitter_rest(splitter, &ignored, &got, error);
    }
    return code;
}

/* Gives what is there of the record, up to `stop`. */
static void give(zn_splitter *splitter, size_t stop, uint64_t line, zn_piece *out) {
    *out = (zn_piece){ .offset = splitter->position, .line = line };
    out->bytes = take(splitter, stop);
}

zonda_err zn_splitter_next(zn_splitter *splitter, zn_piece *out, bool *got, zonda_error *error) {
    *got = false;
    zonda_err code = pass_rest(splitter, error);
    uint64_t line = splitter->framer.lines + 1;
    if (splitter->position >= splitter->range_end) {
        return code;
    }
    while (code == ZONDA_OK) {
        bool whole = scan(splitter);
        size_t open = splitter->scanned - splitter->start;
        if (!whole && splitter->ended) {
            *got = splitter->end > splitter->start;
            give(splitter, splitter->end, line, out);
            return ZONDA_OK;
        }
        if (whole || open > splitter->record_max) {
            *got = true;
            give(splitter, splitter->scanned, line, out);
            out->cut = !whole;
            splitter->dropping = !whole;
            return ZONDA_OK;
        }
        code = fill(splitter, error);
    }
    return code;
}

uint64_t zn_splitter_bytes(const zn_splitter *splitter) {
    return zn_in_stream_bytes(splitter->stream);
}
