/* SPDX-License-Identifier: MPL-2.0 */
/* Any checked values as parts of an exchange's table: reading stays inside them, and what is taken
 * for a stretch or for borders is the same when it is written and read again. */
#include <stdlib.h>

#include "ops/exchange_part.h"
#include "ops/exchange_places.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
    if (!good) {
        abort();
    }
}

static bool same_border(const zn_exchange_border *a, const zn_exchange_border *b) {
    return a->set == b->set && zn_bytes_equal(a->key, b->key) && a->input == b->input &&
           a->task == b->task && a->begin == b->begin;
}

static void check_borders(zn_bytes value) {
    zn_exchange_borders borders = { 0 };
    zn_exchange_borders back = { 0 };
    zn_buf written = { 0 };
    zn_cursor cursor = zn_cursor_of(value);
    if (zn_exchange_borders_take(&cursor, &borders)) {
        check(cursor.at == cursor.end);
        zn_exchange_borders_put(&written, &borders);
        zn_cursor again = zn_cursor_of(zn_buf_bytes(&written));
        check(zn_exchange_borders_take(&again, &back));
        check(same_border(&borders.lower, &back.lower) && same_border(&borders.upper, &back.upper));
    }
    zn_buf_free(&written);
}

static void check_stretch(zn_bytes value) {
    zn_exchange_stretch stretch = { 0 };
    zn_exchange_stretch back = { 0 };
    zn_buf written = { 0 };
    zn_cursor cursor = zn_cursor_of(value);
    if (zn_exchange_stretch_take(&cursor, &stretch)) {
        check(cursor.at == cursor.end);
        check(stretch.stretch.offset <= INT64_MAX - stretch.stretch.length);
        zn_exchange_stretch_put(&written, &stretch);
        zn_cursor again = zn_cursor_of(zn_buf_bytes(&written));
        check(zn_exchange_stretch_take(&again, &back));
        check(back.place == stretch.place && back.rows == stretch.rows &&
              back.begin == stretch.begin && back.stretch.length == stretch.stretch.length);
    }
    zn_buf_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    zn_bytes value = { data, size };
    zonda_error error = { 0 };
    if (zn_value_check(value, &error) != ZONDA_OK) {
        return 0;
    }
    check_borders(value);
    check_stretch(value);
    zn_exchange_places places = { 0 };
    zn_exchange_places_take(&places, value);
    zn_exchange_places_free(&places);
    return 0;
}
