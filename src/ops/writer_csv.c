/* SPDX-License-Identifier: MPL-2.0 */
/* Comma- and tab-separated values (https://www.rfc-editor.org/rfc/rfc4180), with LF at the end of a
 * row. The first record of a file gives the header: its fields in its order. Later records may lack
 * fields, which are then empty, and may have them in any order; a field that the header does not
 * have is an error, because there is no place for it. Values are scalars: numbers as in JSON, true,
 * false, null, and strings, quoted where they have a separator, a quote or the end of a line. A row
 * with nothing but one empty field is written as "", so that it is not a blank line.
 * Used by op_write.c. */
#include "ops/writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/json_number.h"
#include "record/value.h"
#include "wire/text.h"

enum {
    SHOWN_BYTES_MAX = 64,
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct table {
    char separator;
    bool has_header;
    zn_buf first;    /* the record that the names are borrowed from */
    zn_bytes *names; /* of the columns */
    zn_bytes *cells; /* of the row at hand: the values; no bytes: missing */
    size_t count;
    size_t capacity;
} table;

static zonda_err refuse(zonda_error *error, zn_bytes name, const char *problem) {
    int shown = name.len < SHOWN_BYTES_MAX ? (int)name.len : SHOWN_BYTES_MAX;
    return zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the field \"%.*s\" %s", shown,
                        (const char *)name.data, problem);
}

static bool needs_quotes(const table *self, zn_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        char byte = (char)text.data[i];
        if (byte == self->separator || byte == '"' || byte == '\n' || byte == '\r') {
            return true;
        }
    }
    return text.len == 0 && self->count == 1;
}

static void put_text(const table *self, zn_bytes text, zn_buf *out) {
    if (!needs_quotes(self, text)) {
        zn_buf_append(out, text.data, text.len);
        return;
    }
    zn_buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"') {
            zn_buf_append_byte(out, '"');
        }
        zn_buf_append_byte(out, text.data[i]);
    }
    zn_buf_append_byte(out, '"');
}

static zonda_err put_cell(const table *self, size_t column, zn_buf *out, zonda_error *error) {
    zn_bytes cell = self->cells[column];
    if (cell.len == 0) {
        put_text(self, cell, out);
        return ZONDA_OK;
    }
    zn_value value = zn_value_head(cell);
    switch (value.type) {
    case ZN_VALUE_NIL:
        zn_buf_append_text(out, "null");
        return ZONDA_OK;
    case ZN_VALUE_BOOL:
        zn_buf_append_text(out, value.boolean ? "true" : "false");
        return ZONDA_OK;
    case ZN_VALUE_INT:
        zn_buf_printf(out, "%" PRId64, value.integer);
        return ZONDA_OK;
    case ZN_VALUE_UINT:
        zn_buf_printf(out, "%" PRIu64, value.uinteger);
        return ZONDA_OK;
    case ZN_VALUE_DOUBLE:
        if (!isfinite(value.number)) {
            return refuse(error, self->names[column], "is NaN or infinite");
        }
        zn_json_put_double(out, value.number);
        return ZONDA_OK;
    case ZN_VALUE_STRING:
        if (!zn_text_is_valid(value.bytes)) {
            return refuse(error, self->names[column], "is not valid UTF-8");
        }
        put_text(self, value.bytes, out);
        return ZONDA_OK;
    case ZN_VALUE_BINARY:
    case ZN_VALUE_ARRAY:
    case ZN_VALUE_MAP:
    case ZN_VALUE_EXT:
        break;
    }
    char problem[SHOWN_BYTES_MAX];
    snprintf(problem, sizeof problem, "must be text, a number, a boolean or null, not %s",
             zn_value_type_name(value.type));
    return refuse(error, self->names[column], problem);
}

static zonda_err put_row(const table *self, zn_buf *out, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < self->count && err == ZONDA_OK; i++) {
        if (i > 0) {
            zn_buf_append_byte(out, (uint8_t)self->separator);
        }
        err = put_cell(self, i, out, error);
    }
    zn_buf_append_byte(out, '\n');
    return err;
}

/* The column of a name, searched from `guess` on, where it is if the order is that of the header;
 * the number of columns if there is none. */
static size_t find_column(const table *self, zn_bytes name, size_t guess) {
    for (size_t i = 0; i < self->count; i++) {
        size_t column = (guess + i) % self->count;
        if (zn_bytes_equal(self->names[column], name)) {
            return column;
        }
    }
    return self->count;
}

static zonda_err add_column(table *self, zn_bytes name, zonda_error *error) {
    if (!zn_text_is_valid(name)) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the name of a field is not valid UTF-8");
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        self->names = zn_realloc(self->names, self->capacity, sizeof *self->names);
        self->cells = zn_realloc(self->cells, self->capacity, sizeof *self->cells);
    }
    self->names[self->count] = name;
    self->cells[self->count] = (zn_bytes){ 0 };
    self->count++;
    return ZONDA_OK;
}

/* Puts the value of every field into the cell of its column; `grow` makes the columns. */
static zonda_err take_fields(table *self, zn_bytes record, bool grow, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(record);
    zn_value map = zn_cursor_read(&cursor);
    for (uint32_t i = 0; i < map.count; i++) {
        zn_value key = zn_value_head(zn_cursor_skip(&cursor));
        zn_bytes value = zn_cursor_skip(&cursor);
        if (key.type != ZN_VALUE_STRING) {
            return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                                "the names of fields must be strings, not %s",
                                zn_value_type_name(key.type));
        }
        size_t column = find_column(self, key.bytes, i);
        if (column == self->count && !grow) {
            return refuse(error, key.bytes,
                          "is not in the header, which has the fields of the first record");
        }
        if (column == self->count) {
            zonda_err err = add_column(self, key.bytes, error);
            if (err != ZONDA_OK) {
                return err;
            }
        } else if (self->cells[column].len > 0) {
            return refuse(error, key.bytes, "is there twice");
        }
        self->cells[column] = value;
    }
    return ZONDA_OK;
}

static zonda_err begin_table(table *self, zn_bytes record, zn_buf *out, zonda_error *error) {
    zn_buf_reset(&self->first, KEEP_BYTES_MAX);
    zn_buf_append(&self->first, record.data, record.len);
    self->count = 0;
    zonda_err err = take_fields(self, zn_buf_bytes(&self->first), true, error);
    if (err == ZONDA_OK && self->count == 0) {
        err = zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                           "the first record has no fields, so there is no header");
    }
    if (err != ZONDA_OK) {
        return err;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (i > 0) {
            zn_buf_append_byte(out, (uint8_t)self->separator);
        }
        put_text(self, self->names[i], out);
    }
    zn_buf_append_byte(out, '\n');
    self->has_header = true;
    return ZONDA_OK;
}

static zonda_err put_record(void *state, zn_bytes record, zn_buf *out, zonda_error *error) {
    table *self = state;
    zn_value head = zn_value_head(record);
    if (head.type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "a row of a table needs a map as record, not %s",
                            zn_value_type_name(head.type));
    }
    zonda_err err = ZONDA_OK;
    if (!self->has_header) {
        err = begin_table(self, record, out, error);
    } else {
        for (size_t i = 0; i < self->count; i++) {
            self->cells[i] = (zn_bytes){ 0 };
        }
        err = take_fields(self, record, false, error);
    }
    return err == ZONDA_OK ? put_row(self, out, error) : err;
}

static void begin_file(void *state) {
    table *self = state;
    self->has_header = false;
    self->count = 0;
}

static void *open_table(char separator) {
    table *self = ZN_NEW(table);
    self->separator = separator;
    return self;
}

static void *open_csv(void) {
    return open_table(',');
}

static void *open_tsv(void) {
    return open_table('\t');
}

static void close_table(void *state) {
    table *self = state;
    zn_buf_free(&self->first);
    free(self->names);
    free(self->cells);
    free(self);
}

const zn_writer zn_writer_csv = {
    .open = open_csv, .begin = begin_file, .close = close_table, .put = put_record
};

const zn_writer zn_writer_tsv = {
    .open = open_tsv, .begin = begin_file, .close = close_table, .put = put_record
};
