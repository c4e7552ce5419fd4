/* SPDX-License-Identifier: MPL-2.0 */
/* Rows from the blocks of a temporary file. Used by the merge and the sorter. */
#include "store/run_stream.h"

#include <stdlib.h>

#include "base/alloc.h"

typedef struct run_stream {
    zn_run_reader *reader;
    zn_cursor rest; /* of the block */
} run_stream;

static zonda_err next_row(void *context, zn_row *row, bool *found, zonda_error *error) {
    run_stream *self = context;
    if (self->rest.at == self->rest.end) {
        zn_bytes values = { 0 };
        uint32_t count = 0;
        zonda_err code = zn_run_reader_next(self->reader, &values, &count, error);
        if (code != ZONDA_OK) {
            return code;
        }
        self->rest = zn_cursor_of(values);
        if (count == 0) {
            *found = false;
            return ZONDA_OK;
        }
    }
    *found = zn_row_take(&self->rest, row);
    return *found
               ? ZONDA_OK
               : zn_error_set(error, ZONDA_ERR_CORRUPT, "a temporary file holds other than rows");
}

static void close_stream(void *context) {
    run_stream *self = context;
    zn_run_reader_destroy(&self->reader);
    free(self);
}

zn_row_stream zn_run_stream_open(zn_run_file *file, zn_stretch stretch, zn_memory *memory) {
    run_stream *self = ZN_NEW(run_stream);
    self->reader = zn_run_reader_new(file, stretch, memory);
    return (zn_row_stream){ .context = self,
                            .next = next_row,
                            .close = close_stream,
                            .bytes = zn_run_file_block_bytes(file) };
}
