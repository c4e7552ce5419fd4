/* SPDX-License-Identifier: MPL-2.0 */
/* Raw bytes: the payloads of strings and binaries one after the other, without anything between
 * them. A shard of one record, as read gives for a binary file, is written back as that file; where
 * one of several records ends cannot be seen in the file. Used by op_write.c. */
#include "ops/writer.h"

#include "record/value.h"

static zonda_err put_bytes(void *state, zn_bytes record, zn_buf *out, zonda_error *error) {
    (void)state;
    zn_value head = zn_value_head(record);
    if (head.type != ZN_VALUE_STRING && head.type != ZN_VALUE_BINARY) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "write_binary needs a binary or a string as record, not %s",
                            zn_value_type_name(head.type));
    }
    zn_buf_append(out, head.bytes.data, head.bytes.len);
    return ZONDA_OK;
}

const zn_writer zn_writer_binary = { .put = put_bytes };
