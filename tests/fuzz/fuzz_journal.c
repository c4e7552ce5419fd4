/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a batch of a journal. Whatever notes are taken before one does not fit, the state is
 * one that can be: a coordinator begins from it, lets time pass, hands out tasks, and what it then
 * notes as a snapshot gives a state again. */
#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "coordinator/invariants.h"
#include "coordinator/replay.h"
#include "coordinator/snapshot.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t second_ns = UINT64_C(1000000000);

static zn_scheduler *make_scheduler(void) {
    zn_scheduler_config config = { .cluster = 7,
                                   .first_job = 1,
                                   .first_epoch = 1,
                                   .heartbeat_ms = 1000,
                                   .lost_ms = 3000,
                                   .driver_grace_ms = 30000,
                                   .blob_bytes_max = 16 * ZN_MIB,
                                   .durable = true };
    return zn_scheduler_new(&config, second_ns);
}

static void check(const zn_scheduler *scheduler) {
    zonda_error error = { 0 };
    ZN_ASSERT(zn_scheduler_check(scheduler, &error) == ZONDA_OK);
}

/* A snapshot of a state that is one has to be taken whole. */
static void restore(zn_scheduler *scheduler, zn_decoder *decoder) {
    zonda_error error = { 0 };
    zn_scheduler *again = make_scheduler();
    zn_buf notes = { 0 };
    zn_snapshot_write(scheduler, &notes);
    zonda_err code = zn_replay_batch(again, decoder, zn_buf_bytes(&notes), &error);
    if (code != ZONDA_OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    ZN_ASSERT(code == ZONDA_OK);
    zn_buf_free(&notes);
    zn_scheduler_begin(again, 2 * second_ns);
    check(again);
    zn_scheduler_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static zn_decoder *decoder;
    if (decoder == NULL) {
        decoder = zn_decoder_new();
    }
    zonda_error error = { 0 };
    zn_scheduler *scheduler = make_scheduler();
    zonda_err code = zn_replay_batch(scheduler, decoder, (zn_bytes){ data, size }, &error);
    ZN_ASSERT(code == ZONDA_OK || (error.code == code && error.text[0] != '\0'));
    zn_scheduler_begin(scheduler, second_ns);
    check(scheduler);
    for (uint64_t i = 2; i < 6; i++) {
        zn_scheduler_tick(scheduler, i * 2 * second_ns);
        zn_scheduler_assign(scheduler);
        check(scheduler);
    }
    restore(scheduler, decoder);
    zn_scheduler_destroy(&scheduler);
    return 0;
}
