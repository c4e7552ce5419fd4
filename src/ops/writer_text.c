/* SPDX-License-Identifier: MPL-2.0 */
/* Plain text: a string record is a line, its bytes as they are. Other types are refused, because
 * there would be several ways to write them. Used by op_write.c. */
#include "ops/writer.h"

#include "record/value.h"

static zonda_err put_line(void *state, zn_bytes record, zn_buf *out, zonda_error *error) {
    (void)state;
    zn_value head = zn_value_head(record);
    if (head.type != ZN_VALUE_STRING) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "write_text needs a string as record, not %s",
                            zn_value_type_name(head.type));
    }
    zn_buf_append(out, head.bytes.data, head.bytes.len);
    zn_buf_append_byte(out, '\n');
    return ZONDA_OK;
}

const zn_writer zn_writer_text = { .put = put_line };
