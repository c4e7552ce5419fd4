/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_TABLE_H
#define ZN_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"

enum {
    ZN_TABLE_COLUMNS_MAX = 16
};

/* A small table, filled cell by cell, printed with aligned columns or as a JSON list of objects. */
typedef struct zn_table {
    const char *const *columns;
    size_t column_count;
    size_t cell_count;
    zn_buf cells; /* MessagePack values, row by row */
} zn_table;

/* `columns` are borrowed until the table is printed. */
void zn_table_start(zn_table *table, const char *const *columns, size_t count);
void zn_table_number(zn_table *table, uint64_t value);
void zn_table_text(zn_table *table, zn_bytes text);

/* Prints and frees. */
void zn_table_print(zn_table *table, bool json, FILE *out);

#endif
