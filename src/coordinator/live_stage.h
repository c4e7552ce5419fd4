/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_LIVE_STAGE_H
#define ZN_COORDINATOR_LIVE_STAGE_H

#include <sys/queue.h>

#include "base/digest.h"
#include "coordinator/failure_log.h"
#include "coordinator/full_disks.h"
#include "coordinator/retry.h"
#include "coordinator/stage_backups.h"
#include "coordinator/stage_delay.h"
#include "coordinator/stage_pace.h"
#include "coordinator/task_result.h"
#include "coordinator/task_set.h"

typedef enum zn_stage_event {
    ZN_STAGE_EVENT_START = 0, /* START_STAGE, the first or a repeated one */
    ZN_STAGE_EVENT_FINISH,    /* the last task was completed */
    ZN_STAGE_EVENT_FAIL,      /* a task used up its attempts */
    ZN_STAGE_EVENT_CANCEL,    /* its job failed or was ended */
    ZN_STAGE_EVENT_LOSE,      /* results are lost that somebody needs */
    ZN_STAGE_EVENTS,
} zn_stage_event;

enum {
    ZN_STAGE_NEW = 0, /* precedes the states of zn_stage_state */
    ZN_STAGE_STATES = 5,
    ZN_SPREADS = 4 /* records in and out, bytes in and out, in this order */
};

/* A stage as the coordinator has it. Every task of a running stage is in exactly one of `pending`,
 * the holdings of one worker (`running` counts those), and `results`. When a stage with a limit is
 * complete, workers may still hold tasks that were skipped. Changed through the functions below. */
typedef struct zn_live_stage {
    struct zn_live_job *job; /* the owner, borrowed */
    uint32_t index;
    uint32_t total;
    int state; /* ZN_STAGE_NEW or zn_stage_state */
    char *name;
    zn_digest body;
    zn_stage_input *inputs; /* earlier stages that it reads */
    size_t input_count;
    uint32_t *first_tasks; /* those with the most to read, which are handed out first, in order */
    size_t first_count;
    size_t first_next;       /* those before it are not pending */
    zn_task_set pending;     /* value: the attempt that is next */
    zn_stage_delay delay;    /* those of them that are not to be tried again yet */
    uint64_t running;        /* tasks that workers hold */
    zn_task_set results;     /* value: zn_task_result * */
    uint64_t limit;          /* records that are enough, in the order of tasks; 0: all are needed */
    uint32_t prefix;         /* with a limit: this many tasks from the first on are completed */
    uint64_t prefix_records; /* and gave this many records; stops at the limit */
    uint64_t away;           /* completed tasks whose results are with workers, or were */
    uint64_t lost;           /* of them, those whose results are nowhere; see lost_results.h */
    bool was_complete;       /* once, though perhaps not now */
    uint32_t attempt_max;    /* the highest ever given to a task, or next for one */
    zn_task_set failures;    /* see retry.h */
    zn_task_set failed_at;   /* where open tasks failed last: see blame.c */
    uint32_t raised; /* restarts: open tasks are that many attempts up without having been tried */
    uint64_t retries;
    uint64_t records_in;
    uint64_t records_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    zn_spread spreads[ZN_SPREADS]; /* of these four sums, by task; see zn_live_stage_complete */
    zn_counter_totals counters;
    zonda_error *failure; /* why it failed or was cancelled; owned, may be NULL */

    /* For people who ask, and for the hand-out. */
    uint64_t started_ns;
    uint64_t given_ns; /* when the first task was handed out; 0: not yet */
    uint64_t moved_ns; /* when a task was last completed, or when it ended */
    zn_failure_log failed;
    zn_full_disks full_disks;
    zn_stage_pace pace;
    zn_stage_backups backups;

    /* The scheduler's book-keeping. */
    TAILQ_ENTRY(zn_live_stage) runnable_link;
    TAILQ_ENTRY(zn_live_stage) changed_link;
    TAILQ_ENTRY(zn_live_stage) delayed_link;
    bool runnable;
    bool delayed;
    bool changed;
    uint64_t pending_counted;
    uint64_t event_at_ns;
} zn_live_stage;

zn_live_stage *zn_live_stage_new(struct zn_live_job *job, uint32_t index, zn_bytes name,
                                 zn_digest body, uint32_t total);

/* The state after `event`, or -1 if it is not legal in `state`. */
int zn_live_stage_next(int state, zn_stage_event event);

/* Changes the state. REFUSED, with state and event in the text, if that is not legal. */
zonda_err zn_live_stage_apply(zn_live_stage *stage, zn_stage_event event, zonda_error *error);

/* Pending tasks that may be handed out now. */
static inline uint64_t zn_live_stage_ready(const zn_live_stage *stage) {
    return stage->pending.task_count - stage->delay.tasks.task_count;
}

/* Moves up to `max` ready tasks to the running ones, first those with the most to read, but none
 * that failed last on `avoided` (0: any); `out->value` is their attempt. False if there are none.
 */
bool zn_live_stage_take(zn_live_stage *stage, uint64_t avoided, uint32_t max, zn_task_run *out);

/* Makes running tasks pending again, one attempt higher. */
void zn_live_stage_give_back(zn_live_stage *stage, zn_task_run run);

/* Records what running tasks gave. `outcome` describes each of them. The spreads keep the values of
 * tasks whose results are lost later: being deterministic, they come again. */
void zn_live_stage_complete(zn_live_stage *stage, uint32_t first, uint32_t count,
                            const zn_outcome *outcome, uint64_t holder, uint64_t worker);

/* The tasks that run and are needed: not those that were skipped. */
static inline uint64_t zn_live_stage_running(const zn_live_stage *stage) {
    return stage->state == ZN_STAGE_RUNNING ? stage->running : 0;
}

/* Outcomes were recorded: completes the stage if it has enough or all. True if that is new. */
bool zn_live_stage_settle(zn_live_stage *stage);

/* The stage, which runs, has failed. The error is copied. */
void zn_live_stage_fail(zn_live_stage *stage, const zonda_error *error, uint64_t now_ns);

/* Ends it for a reason (copied) if it runs; drops what is pending. True if it ran. */
bool zn_live_stage_cancel(zn_live_stage *stage, const zonda_error *reason, uint64_t now_ns);

/* From the first task handed out to its end, or to now. */
uint64_t zn_live_stage_active_ns(const zn_live_stage *stage, uint64_t now_ns);

/* A coordinator has restarted: tasks that are open may have been handed out by the one before. */
void zn_live_stage_raise(zn_live_stage *stage);

/* Counts anew what the first tasks gave, after some of them are completed no more. */
void zn_live_stage_count_prefix(zn_live_stage *stage);

/* Makes open tasks pending that are not. `raise_max`: such an attempt was given, or is next. */
void zn_live_stage_add_pending(zn_live_stage *stage, zn_task_run run);
void zn_live_stage_raise_max(zn_live_stage *stage, uint64_t attempt);

/* Forgets what is pending, for a stage that has ended. */
void zn_live_stage_drop_pending(zn_live_stage *stage);
void zn_live_stage_destroy(zn_live_stage **stage);

const char *zn_live_stage_state_name(int state);

#endif
