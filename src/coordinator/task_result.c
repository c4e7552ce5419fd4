/* SPDX-License-Identifier: MPL-2.0 */
/* Results of tasks as the coordinator keeps them: small ones inline, large ones as the place where
 * a worker has them. Tasks count as references, because runs of tasks are split and merged freely
 * while the number of tasks that share a result stays easy to know. Called by live_stage only. */
#include "coordinator/task_result.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static zn_result_home *new_home(const zn_outcome *outcome, uint64_t holder, uint64_t worker) {
    const zn_reference *reference = &outcome->reference[0];
    zn_result_home *home = zn_calloc(1, sizeof(*home) + reference->segment.len);
    home->holder = holder;
    home->worker = worker;
    home->attempt = (uint32_t)outcome->attempt;
    home->records_in = outcome->records_in;
    home->bytes_in = outcome->bytes_in;
    home->bytes_out = outcome->bytes_out;
    home->offset = reference->offset;
    home->length = reference->length;
    zn_counter_totals_add(&home->counters, outcome->counters, outcome->counters_count, 1);
    home->part_count = outcome->parts_count;
    home->parts = zn_memdup(outcome->parts, outcome->parts_count * sizeof *outcome->parts);
    home->segment_len = reference->segment.len;
    if (home->segment_len > 0) {
        memcpy(home->segment, reference->segment.data, home->segment_len);
    }
    return home;
}

zn_task_result *zn_task_result_new(const zn_outcome *outcome, uint64_t holder, uint64_t worker) {
    bool away = outcome->reference_count > 0;
    size_t len = away ? 0 : outcome->records.len;
    zn_task_result *result = zn_alloc(sizeof(*result) + (away ? sizeof(zn_result_home *) : len));
    ZN_ASSERT(len <= ZN_BATCH_BYTES);
    *result = (zn_task_result){ .records_out = outcome->records_out,
                                .away = away,
                                .len = (uint32_t)len & INT32_MAX };
    if (away) {
        zn_result_home *home = new_home(outcome, holder, worker);
        memcpy(result->bytes, &home, sizeof home);
    } else if (len > 0) {
        memcpy(result->bytes, outcome->records.data, len);
    }
    return result;
}

bool zn_task_result_matches(const zn_task_result *result, const zn_outcome *outcome) {
    return !result->away && outcome->reference_count == 0 &&
           result->records_out == outcome->records_out && result->len == outcome->records.len &&
           (result->len == 0 || memcmp(result->bytes, outcome->records.data, result->len) == 0);
}

void zn_task_result_release(zn_task_result *result, uint64_t count) {
    ZN_ASSERT(result->tasks >= count);
    result->tasks -= (uint32_t)count;
    if (result->tasks > 0) {
        return;
    }
    zn_result_home *home = zn_task_result_home(result);
    if (home != NULL) {
        zn_counter_totals_free(&home->counters);
        free(home->parts);
        free(home);
    }
    free(result);
}
