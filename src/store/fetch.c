/* SPDX-License-Identifier: MPL-2.0 */
/* What the readers of one thread share, and reading for those who would rather be called. Used by
 * tasks and drivers. */
#include "store/fetch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/block_reader.h"
#include "store/fetcher_state.h"

zn_fetcher *zn_fetcher_new(uint32_t timeout_ms) {
    zn_fetcher *fetcher = ZN_NEW(zn_fetcher);
    fetcher->client = zn_data_client_new(timeout_ms > 0 ? timeout_ms : ZN_CALL_TIMEOUT_MS);
    fetcher->files = zn_local_files_new();
    fetcher->codec = zn_block_codec_new();
    zn_machine_id(fetcher->machine);
    return fetcher;
}

void zn_fetcher_set_keys(zn_fetcher *fetcher, const zn_keys *keys) {
    zn_data_client_set_keys(fetcher->client, keys);
}

void zn_fetcher_set_cancel(zn_fetcher *fetcher, bool (*cancelled)(void *context), void *context) {
    zn_data_client_set_cancel(fetcher->client, cancelled, context);
}

const char *zn_fetcher_machine(const zn_fetcher *fetcher) {
    return fetcher->machine;
}

void zn_fetcher_destroy(zn_fetcher **fetcher) {
    zn_fetcher *self = *fetcher;
    if (self == NULL) {
        return;
    }
    zn_data_client_destroy(&self->client);
    zn_local_files_destroy(&self->files);
    zn_block_codec_destroy(&self->codec);
    zn_buf_free(&self->stored);
    free(self);
    *fetcher = NULL;
}

zonda_err zn_fetcher_read(zn_fetcher *fetcher, const zn_place *place, zn_stretch stretch,
                          zn_memory *memory, zn_fetch_records *on_records, void *context,
                          zonda_error *error) {
    zonda_error problem = { 0 };
    zn_block_reader *reader = zn_block_reader_open(fetcher, place, stretch, memory, &problem);
    zonda_err code = reader == NULL ? problem.code : ZONDA_OK;
    uint32_t count = 1;
    while (code == ZONDA_OK && count > 0) {
        zn_bytes records;
        code = zn_block_reader_next(reader, &records, &count, &problem);
        if (code == ZONDA_OK && count > 0) {
            code = on_records(context, records, count, &problem);
        }
    }
    zn_block_reader_close(&reader);
    if (code != ZONDA_OK && error != NULL) {
        *error = problem;
    }
    return code;
}
