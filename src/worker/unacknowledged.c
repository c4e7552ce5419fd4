/* SPDX-License-Identifier: MPL-2.0 */
/* What a worker has reported and the coordinator has not acknowledged: it is said again when the
 * worker registers again. A RESULT that is sent borrows its texts from here, so one that was sent
 * is never changed; gathering copies. The worker stops handing out tasks to its slots when this
 * takes too much memory, so it holds on for as long as there is no coordinator. */
#include "worker/unacknowledged.h"

#include <stdlib.h>

#include "base/alloc.h"

void zn_unacknowledged_init(zn_unacknowledged *list) {
    *list = (zn_unacknowledged){ 0 };
    STAILQ_INIT(&list->results);
}

static void measure(zn_unacknowledged *list, zn_kept_result *result) {
    size_t bytes = sizeof *result + result->batch.capacity * sizeof *result->batch.items +
                   zn_arena_bytes(&result->batch.arena);
    list->bytes += bytes - result->bytes;
    result->bytes = bytes;
}

/* One of the stage that was not sent and has room, or NULL. */
static zn_kept_result *find_open(const zn_unacknowledged *list, uint64_t job, uint32_t stage) {
    zn_kept_result *result;
    STAILQ_FOREACH(result, &list->results, link) {
        if (result->sequence == 0 && result->job == job && result->stage == stage &&
            !zn_outcome_batch_is_full(&result->batch)) {
            return result;
        }
    }
    return NULL;
}

static zn_kept_result *append(zn_unacknowledged *list, uint64_t job, uint32_t stage) {
    zn_kept_result *result = ZN_NEW(zn_kept_result);
    result->job = job;
    result->stage = stage;
    STAILQ_INSERT_TAIL(&list->results, result, link);
    return result;
}

zn_kept_result *zn_unacknowledged_add(zn_unacknowledged *list, uint64_t job, uint32_t stage,
                                      zn_outcome_batch *batch) {
    zn_kept_result *result = append(list, job, stage);
    result->batch = *batch;
    *batch = (zn_outcome_batch){ 0 };
    measure(list, result);
    return result;
}

static void drop_first(zn_unacknowledged *list) {
    zn_kept_result *result = STAILQ_FIRST(&list->results);
    STAILQ_REMOVE_HEAD(&list->results, link);
    list->bytes -= result->bytes;
    zn_outcome_batch_free(&result->batch);
    free(result);
}

void zn_unacknowledged_forget(zn_unacknowledged *list, uint64_t sequence) {
    const zn_kept_result *first;
    while ((first = STAILQ_FIRST(&list->results)) != NULL && first->sequence != 0 &&
           first->sequence <= sequence) {
        drop_first(list);
    }
}

/* Copies the outcomes of a result to the end of `list`. */
static void copy_result(zn_unacknowledged *list, const zn_kept_result *from) {
    zn_kept_result *to = NULL;
    for (size_t i = 0; i < from->batch.count; i++) {
        if (to == NULL || zn_outcome_batch_is_full(&to->batch)) {
            to = find_open(list, from->job, from->stage);
        }
        to = to == NULL ? append(list, from->job, from->stage) : to;
        zn_outcome_batch_add(&to->batch, &from->batch.items[i]);
        measure(list, to);
    }
}

void zn_unacknowledged_gather(zn_unacknowledged *list) {
    zn_unacknowledged gathered;
    zn_unacknowledged_init(&gathered);
    while (!STAILQ_EMPTY(&list->results)) {
        copy_result(&gathered, STAILQ_FIRST(&list->results));
        drop_first(list);
    }
    STAILQ_CONCAT(&list->results, &gathered.results);
    list->bytes = gathered.bytes;
}

void zn_unacknowledged_clear(zn_unacknowledged *list) {
    while (!STAILQ_EMPTY(&list->results)) {
        drop_first(list);
    }
}
