/* SPDX-License-Identifier: MPL-2.0 */
/* What went wrong lately in a stage, for people who ask. A ring of the last attempts that failed,
 * with their whole errors; a stage without failures has none. Nothing is decided by it: who may try
 * again is counted in retry.h. */
#include "coordinator/failure_log.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

void zn_failure_log_add(zn_failure_log *log, zn_task_run run, uint64_t at_ns,
                        const zonda_error *error) {
    if (log->items == NULL) {
        log->items = zn_calloc(ZN_FAILURES_KEPT_MAX, sizeof(*log->items));
    }
    zn_failed_attempt *item = &log->items[log->count % ZN_FAILURES_KEPT_MAX];
    item->run = run;
    item->at_ns = at_ns;
    item->error = *error;
    log->count++;
    log->tasks += run.count;
}

uint64_t zn_failure_log_kept(const zn_failure_log *log) {
    return log->count < ZN_FAILURES_KEPT_MAX ? log->count : ZN_FAILURES_KEPT_MAX;
}

const zn_failed_attempt *zn_failure_log_get(const zn_failure_log *log, uint64_t index) {
    uint64_t kept = zn_failure_log_kept(log);
    ZN_ASSERT(index < kept);
    return &log->items[(log->count - kept + index) % ZN_FAILURES_KEPT_MAX];
}

void zn_failure_log_free(zn_failure_log *log) {
    free(log->items);
    *log = (zn_failure_log){ 0 };
}
