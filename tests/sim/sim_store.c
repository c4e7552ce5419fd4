/* SPDX-License-Identifier: MPL-2.0 */
/* The segments of simulated workers: results that are too large for a message. They go with their
 * worker, or when it lets go of their job. */
#include <stdlib.h>

#include "base/alloc.h"
#include "sim_slot.h"

void sim_store_put(sim_worker *worker, sim_segment segment) {
    ZN_GROW(worker->segments, worker->segment_count, worker->segment_capacity);
    worker->segments[worker->segment_count++] = segment;
}

const sim_segment *sim_store_find(const sim_worker *worker, uint64_t job, size_t stage,
                                  uint64_t task, uint64_t place) {
    for (size_t i = 0; i < worker->segment_count; i++) {
        const sim_segment *segment = &worker->segments[i];
        if (segment->place == place && segment->job == job && segment->stage == stage &&
            segment->task == task) {
            return segment;
        }
    }
    return NULL;
}

void sim_store_spoil(sim *s, sim_worker *worker) {
    if (worker->segment_count == 0) {
        return;
    }
    size_t index = (size_t)sim_roll(s, worker->segment_count);
    if (sim_chance(s, 500)) {
        worker->segments[index].rotten = true;
    } else {
        worker->segments[index] = worker->segments[--worker->segment_count];
    }
}

void sim_store_remove(sim_worker *worker, uint64_t job) {
    size_t kept = 0;
    for (size_t i = 0; i < worker->segment_count; i++) {
        if (worker->segments[i].job != job) {
            worker->segments[kept++] = worker->segments[i];
        }
    }
    worker->segment_count = kept;
}

void sim_store_remove_all(sim_worker *worker) {
    free(worker->segments);
    worker->segments = NULL;
    worker->segment_count = 0;
    worker->segment_capacity = 0;
}
