/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_HISTORY_H
#define ZN_COORDINATOR_HISTORY_H

#include "wire/message.h"

struct zn_scheduler;
struct zn_live_job;

/* The jobs that ended last, as encoded NOTE_PAST_JOBs. All zero is valid, empty. */
typedef struct zn_history {
    zn_buf *jobs; /* a ring of `max` */
    size_t max;
    size_t first;
    size_t count;
    uint64_t bytes;
    uint64_t last; /* place of the last one, from 1 */
} zn_history;

/* Remembers a job that is being closed: how it and its stages ended. `state` is that of the job
 * before it was closed. */
void zn_history_remember(struct zn_scheduler *scheduler, const struct zn_live_job *job, int state);

/* Takes a job from before a restart; what is not one is passed over. */
void zn_history_restore(zn_history *history, zn_bytes note);

/* The encoded job that is `index` before the last one, or NULL. Borrowed. */
const zn_buf *zn_history_get(const zn_history *history, size_t index);

void zn_history_free(zn_history *history);

#endif
