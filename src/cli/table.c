/* SPDX-License-Identifier: MPL-2.0 */
/* Tables for people and for machines from the same cells. Cells are MessagePack values, so the JSON
 * form comes from the one JSON writer; texts from other hosts are shown without control characters.
 */
#include "cli/table.h"

#include <string.h>

#include "base/assert.h"
#include "record/json.h"
#include "record/value.h"

void zn_table_start(zn_table *table, const char *const *columns, size_t count) {
    ZN_ASSERT(count > 0 && count <= ZN_TABLE_COLUMNS_MAX);
    *table = (zn_table){ .columns = columns, .column_count = count };
}

void zn_table_number(zn_table *table, uint64_t value) {
    zn_put_uint(&table->cells, value);
    table->cell_count++;
}

void zn_table_text(zn_table *table, zn_bytes text) {
    zn_put_string(&table->cells, text);
    table->cell_count++;
}

static void print_json(const zn_table *table, FILE *out) {
    zn_buf list = { 0 };
    zn_put_array(&list, (uint32_t)(table->cell_count / table->column_count));
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&table->cells));
    for (size_t i = 0; i < table->cell_count; i++) {
        if (i % table->column_count == 0) {
            zn_put_map(&list, (uint32_t)table->column_count);
        }
        zn_put_text(&list, table->columns[i % table->column_count]);
        zn_bytes cell = zn_cursor_skip(&cursor);
        zn_buf_append(&list, cell.data, cell.len);
    }
    zn_buf text = { 0 };
    zonda_err code = zn_json_write(zn_buf_bytes(&list), &text, NULL);
    ZN_ASSERT(code == ZONDA_OK); /* texts were checked as UTF-8 when they were received */
    fprintf(out, "%.*s\n", (int)text.len, (const char *)text.data);
    zn_buf_free(&text);
    zn_buf_free(&list);
}

/* The text of a cell as it is shown. */
static void cell_text(zn_cursor *cursor, zn_buf *out) {
    zn_value value = zn_cursor_read(cursor);
    out->len = 0;
    if (value.type == ZN_VALUE_STRING) {
        for (size_t i = 0; i < value.bytes.len; i++) {
            uint8_t byte = value.bytes.data[i];
            zn_buf_append_byte(out, byte < 0x20 || byte == 0x7f ? '?' : byte);
        }
    } else {
        zn_buf_printf(out, "%llu",
                      (unsigned long long)(value.type == ZN_VALUE_INT ? (uint64_t)value.integer
                                                                      : value.uinteger));
    }
}

static void print_columns(const zn_table *table, FILE *out) {
    size_t widths[ZN_TABLE_COLUMNS_MAX];
    zn_buf text = { 0 };
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = strlen(table->columns[i]);
    }
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&table->cells));
    for (size_t i = 0; i < table->cell_count; i++) {
        cell_text(&cursor, &text);
        size_t *width = &widths[i % table->column_count];
        *width = text.len > *width ? text.len : *width;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        bool last = i + 1 == table->column_count;
        fprintf(out, "%-*s%s", last ? 0 : (int)widths[i], table->columns[i], last ? "\n" : "  ");
    }
    cursor = zn_cursor_of(zn_buf_bytes(&table->cells));
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        bool last = column + 1 == table->column_count;
        cell_text(&cursor, &text);
        fprintf(out, "%-*.*s%s", last ? 0 : (int)widths[column], (int)text.len,
                (const char *)text.data, last ? "\n" : "  ");
    }
    zn_buf_free(&text);
}

void zn_table_print(zn_table *table, bool json, FILE *out) {
    if (json) {
        print_json(table, out);
    } else {
        print_columns(table, out);
    }
    zn_buf_free(&table->cells);
}
