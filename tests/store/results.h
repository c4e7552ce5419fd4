/* SPDX-License-Identifier: MPL-2.0 */
/* A segment with results of numbered records, and a server for it, for tests of readers. */
#ifndef ZN_TESTS_STORE_RESULTS_H
#define ZN_TESTS_STORE_RESULTS_H

#include "folder.h"
#include "store/data_server.h"
#include "store/place.h"
#include "store/segment.h"

enum {
    RECORD_BYTES = 1002
};

static const char segment_name[] = "job5-stage2-slot0.seg";

/* Record i of a result: a number in a text that hardly compresses. */
static inline void make_record(uint32_t seed, uint32_t i, uint8_t out[RECORD_BYTES]) {
    zn_buf noise = { 0 };
    fill_noise(&noise, RECORD_BYTES - 3, (uint64_t)seed << 32 | i);
    out[0] = 0xC5;
    out[1] = (RECORD_BYTES - 3) >> 8;
    out[2] = (RECORD_BYTES - 3) & 0xFF;
    memcpy(out + 3, noise.data, RECORD_BYTES - 3);
    zn_buf_free(&noise);
}

static inline zn_stretch write_result(zn_segment *segment, uint32_t seed, uint32_t count) {
    zonda_error error = { 0 };
    zn_stretch out;
    uint8_t record[RECORD_BYTES];
    assert_ok(zn_segment_start(segment, &error), error);
    for (uint32_t i = 0; i < count; i++) {
        make_record(seed, i, record);
        assert_ok(zn_segment_add(segment, (zn_bytes){ record, RECORD_BYTES }, &error), error);
    }
    assert_ok(zn_segment_finish(segment, &out.offset, &out.length, &error), error);
    return out;
}

static inline zn_segment *new_segment(const char *scratch) {
    return zn_segment_new(scratch, (zn_job_id){ 5 }, (zn_stage_id){ 2 }, "slot0");
}

static inline zn_data_server *start_server(const char *bind, const char *scratch) {
    zonda_error error = { 0 };
    zn_data_server *server = zn_data_server_start(bind, scratch, &error);
    if (server == NULL) {
        fail_msg("%s: %s", bind, error.text);
    }
    return server;
}

#endif
