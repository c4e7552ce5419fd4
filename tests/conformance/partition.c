/* SPDX-License-Identifier: MPL-2.0 */
/* Says for the model which partition a key belongs to: one line [key, count] (JSON) in, one line
 * with a number out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"
#include "record/key.h"
#include "record/value.h"

static bool answer(zn_json_reader *reader, zn_bytes line) {
    zn_buf request = { 0 };
    zn_buf encoded = { 0 };
    zonda_error error = { 0 };
    bool ok = zn_json_read(reader, line, &request, &error) == ZONDA_OK;
    if (ok) {
        zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&request));
        zn_cursor_read(&cursor);
        zn_bytes key = zn_cursor_skip(&cursor);
        uint32_t count = (uint32_t)zn_cursor_read(&cursor).integer;
        ok = zn_key_put(&encoded, key, &error) == ZONDA_OK;
        if (ok) {
            printf("%" PRIu32 "\n", zn_key_partition(zn_buf_bytes(&encoded), count));
            fflush(stdout);
        }
    }
    if (!ok) {
        fprintf(stderr, "partition: %s\n", error.text);
    }
    zn_buf_free(&encoded);
    zn_buf_free(&request);
    return ok;
}

int main(void) {
    zn_json_reader *reader = zn_json_reader_new();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    bool ok = true;
    while (ok && (length = getline(&line, &capacity, stdin)) > 1) {
        ok = answer(reader, (zn_bytes){ (const uint8_t *)line, (size_t)length - 1 });
    }
    free(line);
    zn_json_reader_destroy(&reader);
    return ok ? 0 : 1;
}
