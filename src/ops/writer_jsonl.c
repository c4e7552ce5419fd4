/* SPDX-License-Identifier: MPL-2.0 */
/* JSON Lines (https://jsonlines.org): a record is a line. What JSON cannot say (NaN, binary, keys
 * that are no strings) is a bad record, never a silent change. Used by op_write.c. */
#include "ops/writer.h"

#include "record/json.h"

static zonda_err put_line(void *state, zn_bytes record, zn_buf *out, zonda_error *error) {
    (void)state;
    zonda_err err = zn_json_write(record, out, error);
    if (err == ZONDA_OK) {
        zn_buf_append_byte(out, '\n');
    }
    return err;
}

const zn_writer zn_writer_jsonl = { .put = put_line };
