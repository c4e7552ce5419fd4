/* SPDX-License-Identifier: MPL-2.0 */
/* A stream of MessagePack values: a record is in the file as it is in memory, so this is the format
 * that loses nothing. The source read has the same one. Used by op_write.c. */
#include "ops/writer.h"

static zonda_err put_value(void *state, zn_bytes record, zn_buf *out, zonda_error *error) {
    (void)state;
    (void)error;
    zn_buf_append(out, record.data, record.len);
    return ZONDA_OK;
}

const zn_writer zn_writer_msgpack = { .put = put_value };
