/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_UNACKNOWLEDGED_H
#define ZN_WORKER_UNACKNOWLEDGED_H

#include <sys/queue.h>

#include "worker/outcome_batch.h"

/* One RESULT that the coordinator may not have. */
typedef struct zn_kept_result {
    uint64_t sequence; /* that it was sent with; 0: not sent */
    uint64_t job;
    uint32_t stage;
    uint64_t spent_us; /* of slots; what was gathered has lost it */
    zn_outcome_batch batch;
    size_t bytes;
    STAILQ_ENTRY(zn_kept_result) link;
} zn_kept_result;

/* RESULTs that were not acknowledged, the oldest first. */
typedef struct zn_unacknowledged {
    STAILQ_HEAD(zn_kept_results, zn_kept_result) results;
    size_t bytes; /* of memory that they take */
} zn_unacknowledged;

void zn_unacknowledged_init(zn_unacknowledged *list);

/* Takes over what is in `batch`, which is empty afterwards. The result is not sent. */
zn_kept_result *zn_unacknowledged_add(zn_unacknowledged *list, uint64_t job, uint32_t stage,
                                      zn_outcome_batch *batch);

/* Forgets those that were sent with numbers up to this one. */
void zn_unacknowledged_forget(zn_unacknowledged *list, uint64_t sequence);

/* Makes as few of them as possible, none of which is sent. */
void zn_unacknowledged_gather(zn_unacknowledged *list);

void zn_unacknowledged_clear(zn_unacknowledged *list);

#endif
