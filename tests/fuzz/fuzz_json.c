/* SPDX-License-Identifier: MPL-2.0 */
/* JSON to MessagePack and back. What the parser accepts must be a record that passes the check, be
 * written without an error and read back as the same bytes; what it refuses, the scanner that finds
 * the cause must refuse with the same code. Bytes that are a MessagePack record are written too. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "record/json.h"
#include "record/json_locate.h"
#include "record/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_return(zn_json_reader *reader, zn_bytes text) {
    zn_buf record = { 0 };
    zn_buf written = { 0 };
    zn_buf again = { 0 };
    zonda_error error = { 0 };
    zonda_err err = zn_json_read(reader, text, &record, &error);
    ZN_ASSERT(err == zn_json_locate(text, NULL));
    if (err == ZONDA_OK) {
        ZN_ASSERT(zn_value_check(zn_buf_bytes(&record), &error) == ZONDA_OK);
        ZN_ASSERT(zn_json_write(zn_buf_bytes(&record), &written, &error) == ZONDA_OK);
        ZN_ASSERT(zn_json_read(reader, zn_buf_bytes(&written), &again, &error) == ZONDA_OK);
        ZN_ASSERT(zn_bytes_equal(zn_buf_bytes(&record), zn_buf_bytes(&again)));
    } else {
        ZN_ASSERT(record.len == 0 && error.column >= 1 && error.column <= text.len + 1);
    }
    zn_buf_free(&again);
    zn_buf_free(&written);
    zn_buf_free(&record);
}

static void write_record(zn_json_reader *reader, zn_bytes record) {
    zn_buf written = { 0 };
    zn_buf again = { 0 };
    zonda_error error = { 0 };
    if (zn_value_check(record, &error) == ZONDA_OK) {
        zonda_err err = zn_json_write(record, &written, &error);
        ZN_ASSERT(err == ZONDA_OK || (err == ZONDA_ERR_BAD_RECORD && written.len == 0));
        if (err == ZONDA_OK) {
            ZN_ASSERT(zn_json_read(reader, zn_buf_bytes(&written), &again, &error) == ZONDA_OK);
        }
    }
    zn_buf_free(&again);
    zn_buf_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static zn_json_reader *reader;
    if (reader == NULL) {
        reader = zn_json_reader_new();
    }
    zn_bytes input = { .data = data, .len = size };
    read_and_return(reader, input);
    write_record(reader, input);
    return 0;
}
