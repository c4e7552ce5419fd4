/* SPDX-License-Identifier: MPL-2.0 */
/* Keys and records are noise, so that blocks are stored as they are and the files do not depend on
 * the version of a compressor; only GOLDEN_COMPRESSED is a text that repeats. */
#include "golden_segments.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/value.h"

const golden_segment golden_segments[GOLDEN_KINDS] = {
    [GOLDEN_RECORDS] = { .file = "records.seg", .rows = 20, .result = { 0, 362 } },
    [GOLDEN_COMPRESSED] = { .file = "compressed.seg", .rows = 12000, .result = { 0, 12673 } },
    [GOLDEN_PARTITIONS] = { .file = "partitions.seg",
                            .indexed = true,
                            .index = ZN_INDEX_PARTITIONS,
                            .rows = 30,
                            .result = { 1426, 167 } },
    [GOLDEN_BLOCKS] = { .file = "blocks.seg",
                        .indexed = true,
                        .index = ZN_INDEX_BLOCKS,
                        .rows = 30,
                        .result = { 978, 43 } },
    [GOLDEN_SAMPLES] = { .file = "samples.seg",
                         .indexed = true,
                         .index = ZN_INDEX_SAMPLES,
                         .rows = 40,
                         .result = { 1480, 492 } },
};

static void put_noise(zn_buf *out, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        zn_buf_append_byte(out, (uint8_t)(seed >> 56));
    }
}

uint32_t golden_row(golden_kind kind, uint32_t i, zn_buf *key, zn_buf *record) {
    zn_buf_reset(key, SIZE_MAX);
    zn_buf_reset(record, SIZE_MAX);
    if (kind == GOLDEN_COMPRESSED) {
        zn_put_map(record, 1);
        zn_put_text(record, "the same words again and again");
        zn_put_uint(record, i);
        return 0;
    }
    zn_buf noise = { 0 };
    put_noise(&noise, 5 + i % 40, i + 1);
    zn_put_binary(record, zn_buf_bytes(&noise));
    zn_buf_free(&noise);
    if (golden_segments[kind].indexed) {
        zn_buf_append_byte(key, (uint8_t)i);
        put_noise(key, i % 16, i + 1000);
    }
    return kind == GOLDEN_PARTITIONS ? i * i / 60 : 0;
}

static zonda_err add_rows(golden_kind kind, zn_segment *segment, zonda_error *error) {
    zn_buf key = { 0 };
    zn_buf record = { 0 };
    zonda_err code = ZONDA_OK;
    for (uint32_t i = 0; i < golden_segments[kind].rows && code == ZONDA_OK; i++) {
        uint32_t partition = golden_row(kind, i, &key, &record);
        code = golden_segments[kind].indexed
                   ? zn_segment_add_row(segment, partition, zn_buf_bytes(&key),
                                        zn_buf_bytes(&record), error)
                   : zn_segment_add(segment, zn_buf_bytes(&record), error);
    }
    zn_buf_free(&key);
    zn_buf_free(&record);
    return code;
}

static zonda_err write_result(golden_kind kind, zn_segment *segment, zn_stretch *result,
                              zonda_error *error) {
    bool indexed = golden_segments[kind].indexed;
    zn_segment_totals totals;
    zonda_err code = indexed ? zn_segment_start_indexed(segment, golden_segments[kind].index, error)
                             : zn_segment_start(segment, error);
    code = code == ZONDA_OK ? add_rows(kind, segment, error) : code;
    if (code != ZONDA_OK) {
        return code;
    }
    return indexed ? zn_segment_finish_indexed(segment, &result->offset, &result->length, &totals,
                                               error)
                   : zn_segment_finish(segment, &result->offset, &result->length, error);
}

char *golden_write_segment(golden_kind kind, const char *folder, zn_stretch *result,
                           zonda_error *error) {
    zn_segment *segment = zn_segment_new(folder, (zn_job_id){ 1 }, (zn_stage_id){ 0 }, "golden");
    char *name = zn_strdup(zn_segment_name(segment));
    if (write_result(kind, segment, result, error) != ZONDA_OK) {
        free(name);
        name = NULL;
    }
    zn_segment_destroy(&segment);
    return name;
}
