/* SPDX-License-Identifier: MPL-2.0 */
/* What a scheduler is told at its start, and what it counts for tests and the log. */
#ifndef ZN_COORDINATOR_SCHEDULER_CONFIG_H
#define ZN_COORDINATOR_SCHEDULER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct zn_scheduler_config {
    uint64_t cluster;     /* random, not 0 */
    uint64_t first_job;   /* ids count up from here; not 0 */
    uint64_t first_epoch; /* likewise */
    uint32_t heartbeat_ms;
    uint32_t lost_ms;
    uint32_t driver_grace_ms; /* after which the jobs of a driver that has gone end; 0: never */
    uint32_t drain_ms; /* after which the results of a drained worker are made again by others */
    uint64_t blob_bytes_max;
    uint64_t wall_ms;        /* since 1970-01-01 UTC, when the scheduler begins; for people only */
    uint32_t history_jobs;   /* that are remembered; 0: ZN_HISTORY_JOBS */
    uint32_t survey_workers; /* with free credit that every step that assigns looks at; with more it
                                looks at those that have changed; 0: ZN_SURVEY_WORKERS_MAX */
    bool durable;            /* somebody takes the notes */
} zn_scheduler_config;

/* What arrived and had no effect. For tests and the log. */
typedef struct zn_scheduler_stats {
    uint64_t unknown_epochs; /* messages of a registration that is not valid: REJOIN */
    uint64_t duplicates;     /* RESULTs seen before */
    uint64_t gaps;           /* epochs given up because messages were missing */
    uint64_t stale_tasks;    /* outcomes of tasks that the worker does not hold */
    uint64_t late_tasks;     /* outcomes that were taken from workers that had lost their tasks */
    uint64_t adopted_tasks;  /* that a worker went on with in a new registration */
    uint64_t remade_tasks;   /* completed tasks whose results were lost and needed */
    uint64_t unexpected;     /* messages that a worker does not send */
} zn_scheduler_stats;

#endif
