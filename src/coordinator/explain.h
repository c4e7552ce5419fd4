/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_EXPLAIN_H
#define ZN_COORDINATOR_EXPLAIN_H

#include "coordinator/scheduler.h"

/* What a job, a stage or a task is doing, and what it waits for. Borrows from the scheduler: valid
 * until its next step. Not to be moved: its members point into each other. */
typedef struct zn_explanation {
    zn_stage_info *stages; /* owned */
    zn_failure *stage_failures;
    size_t stage_count;
    zn_reason reasons[ZN_EXPLAIN_REASONS_MAX];
    char texts[ZN_EXPLAIN_REASONS_MAX][ZN_NAME_BYTES_MAX + 1];
    size_t reason_count;
    zn_attempt_info attempts[ZN_EXPLAIN_ATTEMPTS_MAX];
    zn_failure attempt_failures[ZN_EXPLAIN_ATTEMPTS_MAX];
    size_t attempt_count;
} zn_explanation;

/* Explains the job; with `stage` only that stage and what is known of its attempts; with `task`
 * too (a task of that stage) only that task's. Changes nothing in the scheduler. */
void zn_explain(const zn_scheduler *scheduler, uint64_t now_ns, const zn_live_job *job,
                const zn_live_stage *stage, const uint32_t *task, zn_explanation *out);

/* The reasons alone (explain_reasons.c); part of zn_explain. */
void zn_explain_reasons(const zn_scheduler *scheduler, uint64_t now_ns, const zn_live_job *job,
                        const zn_live_stage *stage, zn_explanation *out);

void zn_explanation_free(zn_explanation *explanation);

#endif
