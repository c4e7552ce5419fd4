/* SPDX-License-Identifier: MPL-2.0 */
/* CSV and TSV: the first record of a file names the fields, each other one is a map of strings.
 * Quoting is that of RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), for tabs as for commas: a
 * field in quotes may hold separators, line ends and, doubled, quotes. What the RFC does not allow
 * is a bad record, not a guess: quotes or a lone CR in a field without quotes, bytes behind a
 * closing quote, another number of fields than the header has. Lines are ended by LF or CRLF. An
 * empty line is no record, unless there is only one field; a byte order mark before the header is
 * dropped. A header that does not name every field differently is an error of the file. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/reader.h"
#include "ops/reader_utf8.h"
#include "record/value.h"

enum {
    MARK_BYTES = 3
};

typedef struct csv {
    char separator;
    uint32_t count; /* of fields in the header */
    zn_buf names;   /* their names as MessagePack, one after the other */
    zn_buf text;    /* a field without its quotes */
} csv;

static zn_framer frame_csv(bool at_start) {
    return zn_framer_csv(',', at_start);
}

static zn_framer frame_tsv(bool at_start) {
    return zn_framer_csv('\t', at_start);
}

static void *open_with(char separator) {
    csv *self = ZN_NEW(csv);
    self->separator = separator;
    return self;
}

static void *open_csv(void) {
    return open_with(',');
}

static void *open_tsv(void) {
    return open_with('\t');
}

static void close_csv(void *state) {
    csv *self = state;
    zn_buf_free(&self->names);
    zn_buf_free(&self->text);
    free(self);
}

static zonda_err fail_at(zn_bytes record, const uint8_t *at, const char *text, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_BAD_RECORD, "%s", text);
    error->column = (uint64_t)(at - record.data) + 1;
    return ZONDA_ERR_BAD_RECORD;
}

/* A field in quotes, which begins at `*at`; its text goes to the buffer. */
static zonda_err take_quoted(csv *self, zn_bytes record, const uint8_t **at, zn_bytes *field,
                             zonda_error *error) {
    const uint8_t *end = record.data + record.len;
    const uint8_t *from = *at + 1;
    zn_buf_reset(&self->text, ZN_MIB);
    for (;;) {
        const uint8_t *quote = from == end ? NULL : memchr(from, '"', (size_t)(end - from));
        if (quote == NULL) {
            return fail_at(record, *at, "the quote that begins a field is never closed", error);
        }
        zn_buf_append(&self->text, from, (size_t)(quote - from));
        from = quote + 1;
        if (from == end || *from != '"') {
            break;
        }
        zn_buf_append_byte(&self->text, '"');
        from++;
    }
    if (from < end && *from != (uint8_t)self->separator) {
        return fail_at(record, from, "a closing quote is not the end of its field", error);
    }
    *at = from;
    *field = zn_buf_bytes(&self->text);
    return ZONDA_OK;
}

static zonda_err take_plain(const csv *self, zn_bytes record, const uint8_t **at, zn_bytes *field,
                            zonda_error *error) {
    const uint8_t *end = record.data + record.len;
    const uint8_t *to = *at;
    for (; to < end && *to != (uint8_t)self->separator; to++) {
        if (*to == '"') {
            return fail_at(record, to, "a quote in a field that does not begin with one", error);
        }
        if (*to == '\r') {
            return fail_at(record, to, "a carriage return in a field without quotes", error);
        }
    }
    *field = (zn_bytes){ *at, (size_t)(to - *at) };
    *at = to;
    return ZONDA_OK;
}

/* Takes the field at `*at` and the separator behind it; `*more` tells whether there was one. */
static zonda_err take_field(csv *self, zn_bytes record, const uint8_t **at, zn_bytes *field,
                            bool *more, zonda_error *error) {
    const uint8_t *end = record.data + record.len;
    zonda_err err = *at < end && **at == '"' ? take_quoted(self, record, at, field, error)
                                             : take_plain(self, record, at, field, error);
    *more = err == ZONDA_OK && *at < end;
    *at += *more;
    return err;
}

static int compare_names(const void *a, const void *b) {
    const zn_bytes *left = a;
    const zn_bytes *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = len == 0 ? 0 : memcmp(left->data, right->data, len);
    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

static zonda_err check_names(const csv *self, zonda_error *error) {
    zn_bytes *names = zn_calloc(self->count, sizeof *names);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&self->names));
    zonda_err err = ZONDA_OK;
    for (uint32_t i = 0; i < self->count; i++) {
        names[i] = zn_cursor_read(&cursor).bytes;
        if (names[i].len == 0 && err == ZONDA_OK) {
            err = zn_error_set(error, ZONDA_ERR_BAD_RECORD, "field %u of the header has no name",
                               i + 1);
        }
    }
    qsort(names, self->count, sizeof *names, compare_names);
    for (uint32_t i = 1; i < self->count && err == ZONDA_OK; i++) {
        if (zn_bytes_equal(names[i - 1], names[i])) {
            int shown = names[i].len < 64 ? (int)names[i].len : 64;
            err =
                zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the header has the name \"%.*s\" twice",
                             shown, (const char *)names[i].data);
        }
    }
    free(names);
    return err;
}

static zonda_err read_names(csv *self, zn_bytes header, zonda_error *error) {
    zonda_err err = zn_reader_check_utf8(header, error);
    const uint8_t *at = header.data;
    for (bool more = true; more && err == ZONDA_OK;) {
        zn_bytes name = { 0 };
        err = take_field(self, header, &at, &name, &more, error);
        if (err == ZONDA_OK) {
            zn_put_string(&self->names, name);
            self->count++;
        }
    }
    return err == ZONDA_OK ? check_names(self, error) : err;
}

static zn_bytes header_of(const zn_piece *piece) {
    zn_bytes header = piece->bytes;
    header.len -= header.len > 0 && header.data[header.len - 1] == '\n';
    header.len -= header.len > 0 && header.data[header.len - 1] == '\r';
    if (header.len >= MARK_BYTES && memcmp(header.data, "\xef\xbb\xbf", MARK_BYTES) == 0) {
        header.data += MARK_BYTES;
        header.len -= MARK_BYTES;
    }
    return header;
}

/* An empty file has no header and no records. */
static zonda_err begin_csv(void *state, zn_splitter *splitter, zonda_error *error) {
    csv *self = state;
    zn_piece piece = { 0 };
    bool got = false;
    self->count = 0;
    zn_buf_reset(&self->names, ZN_MIB);
    zonda_err err = zn_splitter_next(splitter, &piece, &got, error);
    if (err != ZONDA_OK || !got) {
        return err;
    }
    if (piece.cut) {
        err = zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the header is longer than the limit");
    } else {
        err = read_names(self, header_of(&piece), error);
    }
    if (err != ZONDA_OK) {
        error->line = piece.line;
    }
    return err;
}

static zonda_err fail_count(const csv *self, const char *more, uint32_t count, zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                        "the record has %s%u field%s, but the header has %u", more, count,
                        count == 1 ? "" : "s", self->count);
}

static zonda_err parse_csv(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error) {
    csv *self = state;
    if (bytes.len == 0 && self->count > 1) {
        return ZONDA_OK;
    }
    zonda_err err = zn_reader_check_utf8(bytes, error);
    const uint8_t *at = bytes.data;
    zn_cursor names = zn_cursor_of(zn_buf_bytes(&self->names));
    uint32_t count = 0;
    zn_put_map(out, self->count);
    for (bool more = true; more && err == ZONDA_OK; count++) {
        zn_bytes field = { 0 };
        err = take_field(self, bytes, &at, &field, &more, error);
        if (err == ZONDA_OK && count == self->count) {
            return fail_count(self, "more than ", count, error);
        }
        if (err == ZONDA_OK) {
            zn_bytes name = zn_cursor_skip(&names);
            zn_buf_append(out, name.data, name.len);
            zn_put_string(out, field);
        }
    }
    return err == ZONDA_OK && count < self->count ? fail_count(self, "only ", count, error) : err;
}

const zn_reader_format zn_reader_csv = { .name = "csv",
                                         .suffix = ".csv",
                                         .has_lines = true,
                                         .separator = ',',
                                         .framer = frame_csv,
                                         .open = open_csv,
                                         .close = close_csv,
                                         .begin = begin_csv,
                                         .parse = parse_csv };

const zn_reader_format zn_reader_tsv = { .name = "tsv",
                                         .suffix = ".tsv",
                                         .has_lines = true,
                                         .separator = '\t',
                                         .framer = frame_tsv,
                                         .open = open_tsv,
                                         .close = close_csv,
                                         .begin = begin_csv,
                                         .parse = parse_csv };
