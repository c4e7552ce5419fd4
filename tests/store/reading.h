/* SPDX-License-Identifier: MPL-2.0 */
/* Readers of the results of results.h that check what they read. */
#ifndef ZN_TESTS_STORE_READING_H
#define ZN_TESTS_STORE_READING_H

#include "results.h"
#include "store/block_reader.h"

/* A reader, the result that it reads, and how much of it has come. */
typedef struct reading {
    zn_block_reader *reader;
    uint32_t seed;
    uint32_t records;
} reading;

static inline reading open_at(zn_fetcher *fetcher, const char *endpoint, const char *folder,
                              zn_stretch at, uint32_t seed, zn_memory *memory) {
    zonda_error error = { 0 };
    zn_place place = { .endpoint = endpoint,
                       .folder = folder,
                       .segment = zn_bytes_of_text(segment_name) };
    reading out = { .reader = zn_block_reader_open(fetcher, &place, at, memory, &error),
                    .seed = seed };
    if (out.reader == NULL) {
        fail_msg("%s", error.text);
    }
    return out;
}

/* Takes a block, checks its records; false at the end. */
static inline bool take_block(reading *from) {
    zn_bytes values = { 0 };
    uint32_t count = 0;
    zonda_error error = { 0 };
    assert_ok(zn_block_reader_next(from->reader, &values, &count, &error), error);
    if (count == 0) {
        return false;
    }
    assert_int_equal(values.len, (size_t)count * RECORD_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t expected[RECORD_BYTES];
        make_record(from->seed, from->records + i, expected);
        assert_memory_equal(values.data + (size_t)i * RECORD_BYTES, expected, RECORD_BYTES);
    }
    from->records += count;
    return true;
}

static inline void take_rest(reading *from) {
    while (take_block(from)) {
    }
    assert_false(take_block(from));
}

#endif
