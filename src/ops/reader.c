/* SPDX-License-Identifier: MPL-2.0 */
/* Records of a file, whatever its format: the splitter finds the bytes of a record, the format
 * makes a record of them. What is wrong with the bytes is a bad record, with the place where it was
 * found, and reading goes on; what is wrong with the file (it cannot be read, its compressed data
 * is damaged) is an error. Used by op_read.c. */
#include "ops/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "store/file_lookup.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB,
    LINE_END_BYTES_MAX = 2
};

struct zn_reader {
    const zn_reader_format *format;
    size_t record_max;
    void *state;
    char *path;
    zn_file_range range;
    zn_splitter *splitter;
    uint64_t pieces; /* of the file */
    bool cut;        /* the last one: raw bytes follow */
    zn_buf record;
    zonda_error cause;
};

const zn_reader_format *zn_reader_format_find(const char *name) {
    static const zn_reader_format *const formats[] = {
        &zn_reader_jsonl, &zn_reader_text, &zn_reader_msgpack,
        &zn_reader_csv,   &zn_reader_tsv,  &zn_reader_binary,
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

zn_reader *zn_reader_new(const zn_reader_format *format, size_t record_max) {
    zn_reader *reader = ZN_NEW(zn_reader);
    reader->format = format;
    reader->record_max = record_max;
    reader->state = format->open == NULL ? NULL : format->open();
    return reader;
}

void zn_reader_close(zn_reader *reader) {
    zn_splitter_destroy(&reader->splitter);
    free(reader->path);
    reader->path = NULL;
}

void zn_reader_destroy(zn_reader **reader) {
    zn_reader *self = *reader;
    if (self == NULL) {
        return;
    }
    zn_reader_close(self);
    if (self->format->open != NULL) {
        self->format->close(self->state);
    }
    zn_buf_free(&self->record);
    free(self);
    *reader = NULL;
}

/* MessagePack is at most three times as long as JSON ("1e1" becomes 9 bytes), so a record that
 * would be too long stays so. */
void zn_reader_keep(zn_reader *reader, const zn_bytes *names, size_t count) {
    if (reader->format->keep != NULL) {
        reader->format->keep(reader->state, names, count, reader->record_max / 4);
    }
}

/* What lies before the records of the file is read from its start, whatever the range. */
static zonda_err begin_file(zn_reader *reader, zonda_error *error) {
    const zn_reader_format *format = reader->format;
    if (format->begin == NULL) {
        return ZONDA_OK;
    }
    zn_splitter *head = reader->splitter;
    if (reader->range.offset > 0) {
        zn_file_range whole = { 0 };
        head =
            zn_splitter_open(reader->path, format->framer(true), whole, reader->record_max, error);
        if (head == NULL) {
            return error->code;
        }
    }
    zonda_err err = format->begin(reader->state, head, error);
    if (err != ZONDA_OK && error->file[0] == '\0') {
        zn_error_at(error, reader->path, error->line, error->column);
    }
    if (head != reader->splitter) {
        zn_splitter_destroy(&head);
    }
    return err;
}

zonda_err zn_reader_open(zn_reader *reader, const char *path, zn_file_range range,
                         zonda_error *error) {
    zn_reader_close(reader);
    size_t slack = reader->format->has_lines ? LINE_END_BYTES_MAX : 0;
    zn_framer framer = reader->format->framer(range.offset == 0);
    reader->splitter = zn_splitter_open(path, framer, range, reader->record_max + slack, error);
    if (reader->splitter == NULL) {
        return error->code;
    }
    reader->path = zn_strdup(path);
    reader->range = range;
    reader->pieces = 0;
    reader->cut = false;
    return begin_file(reader, error);
}

static zn_bytes without_line_end(zn_bytes bytes) {
    if (bytes.len > 0 && bytes.data[bytes.len - 1] == '\n') {
        bytes.len--;
        if (bytes.len > 0 && bytes.data[bytes.len - 1] == '\r') {
            bytes.len--;
        }
    }
    return bytes;
}

static zonda_err fail_size(const zn_reader *reader, const char *what, zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the %s is longer than the limit of %zu bytes",
                        what, reader->record_max);
}

static zonda_err parse_piece(zn_reader *reader, const zn_piece *piece, zonda_error *error) {
    const zn_reader_format *format = reader->format;
    zn_bytes bytes = format->has_lines ? without_line_end(piece->bytes) : piece->bytes;
    const char *what = format->is_whole ? "file" : format->has_lines ? "line" : "record";
    zn_buf_reset(&reader->record, KEEP_BYTES_MAX);
    if (piece->cut || bytes.len > reader->record_max) {
        return fail_size(reader, what, error);
    }
    zonda_err err = format->parse(reader->state, bytes, &reader->record, error);
    if (err == ZONDA_OK && reader->record.len > reader->record_max) {
        err = fail_size(reader, "record", error);
    }
    return err;
}

/* The format says where in the bytes; people want line and column. */
static void place_cause(zn_reader *reader, const zn_piece *piece) {
    zonda_error *cause = &reader->cause;
    size_t column = cause->column > piece->bytes.len + 1 ? 0 : (size_t)cause->column;
    if (!reader->format->has_lines) {
        uint64_t at = piece->offset + (column == 0 ? 0 : column - 1);
        zn_error_prefix(cause, "at byte %" PRIu64 ": ", at);
        zn_error_at(cause, reader->path, 0, 0);
        return;
    }
    uint64_t line = piece->line;
    size_t line_start = 0;
    for (size_t i = 0; i + 1 < column; i++) {
        if (piece->bytes.data[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    zn_error_at(cause, reader->path, line, column == 0 ? 0 : column - line_start);
}

static bool is_about_record(zonda_err err) {
    return err == ZONDA_ERR_BAD_RECORD || err == ZONDA_ERR_LIMIT || err == ZONDA_ERR_PROTOCOL;
}

/* Turns a piece into an item; END for one that holds no record. */
static zonda_err make_item(zn_reader *reader, const zn_piece *piece, zn_reader_item *out,
                           zonda_error *error) {
    *out = (zn_reader_item){ .line = reader->format->has_lines ? piece->line : 0 };
    reader->cut = piece->cut;
    zonda_err err = parse_piece(reader, piece, &reader->cause);
    if (err == ZONDA_OK) {
        out->kind = reader->record.len > 0 ? ZN_READER_RECORD : ZN_READER_END;
        out->record = zn_buf_bytes(&reader->record);
        return ZONDA_OK;
    }
    place_cause(reader, piece);
    if (!is_about_record(err)) {
        *error = reader->cause;
        return err;
    }
    if (err == ZONDA_ERR_PROTOCOL) {
        reader->cause.code = ZONDA_ERR_BAD_RECORD;
    }
    out->kind = ZN_READER_BAD;
    out->raw = piece->bytes;
    out->cause = &reader->cause;
    return ZONDA_OK;
}

static zonda_err next_item(zn_reader *reader, zn_reader_item *out, zonda_error *error) {
    *out = (zn_reader_item){ .kind = ZN_READER_END };
    for (;;) {
        zn_piece piece = { 0 };
        bool got = false;
        zonda_err err = zn_splitter_next(reader->splitter, &piece, &got, error);
        if (err != ZONDA_OK || (!got && !(reader->format->is_whole && reader->pieces == 0))) {
            return err;
        }
        reader->pieces++;
        err = make_item(reader, &piece, out, error);
        if (err != ZONDA_OK || out->kind != ZN_READER_END) {
            return err;
        }
    }
}

zonda_err zn_reader_next(zn_reader *reader, zn_reader_item *out, zonda_error *error) {
    int before = zn_profile_enter_record(ZN_SECTION_DECODING);
    zonda_err err = next_item(reader, out, error);
    zn_profile_leave_record(before);
    return err;
}

zonda_err zn_reader_raw(zn_reader *reader, zn_bytes *out, bool *got, zonda_error *error) {
    *got = false;
    return reader->cut ? zn_splitter_rest(reader->splitter, out, got, error) : ZONDA_OK;
}

zonda_err zn_reader_lines_before(const zn_reader *reader, uint64_t *out, zonda_error *error) {
    *out = 0;
    if (reader->range.offset == 0 || !reader->format->has_lines) {
        return ZONDA_OK;
    }
    /* Where the splitter began: a byte earlier, if it had to find a newline. */
    uint64_t bytes = reader->range.offset - (reader->range.aligned ? 0 : 1);
    return zn_file_count_lines(reader->path, bytes, out, error);
}

uint64_t zn_reader_bytes(const zn_reader *reader) {
    return reader->splitter == NULL ? 0 : zn_splitter_bytes(reader->splitter);
}
