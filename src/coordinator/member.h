/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_MEMBER_H
#define ZN_COORDINATOR_MEMBER_H

#include "coordinator/live_job.h"
#include "coordinator/member_state.h"
#include "wire/channel.h"

/* The tasks of one stage that a worker holds. */
typedef struct zn_holding {
    zn_live_stage *stage;
    bool recalled;     /* of an earlier registration, and not yet confirmed in the present one */
    zn_task_set tasks; /* value: the attempt and when it was handed out, in steps of 16 ms */
} zn_holding;

static inline uint64_t zn_held_attempt(uint64_t value) {
    return value & UINT32_MAX;
}

static inline uint64_t zn_held_since(uint64_t now_ns) {
    return (now_ns >> 24) << 32;
}

static inline uint64_t zn_held_ms(uint64_t value, uint64_t now_ns) {
    uint32_t steps = (uint32_t)(now_ns >> 24) - (uint32_t)(value >> 32);
    return ((uint64_t)steps << 24) / 1000000;
}

/* A job of which a worker got a task in its epoch. */
typedef struct zn_touched_job {
    uint64_t job;
    bool done; /* was told DONE, has not answered */
} zn_touched_job;

/* A worker as the coordinator has it. Open data; changed by the scheduler. */
typedef struct zn_member {
    uint64_t id;
    uint64_t client; /* random id that it chose: the same worker says HELLO again */
    uint64_t epoch;  /* 0: none */
    int state;       /* zn_member_state */
    zn_peer peer;
    char *host;
    char *data;    /* endpoint of its segments */
    char *folder;  /* where they are as files; empty: not known */
    char *machine; /* that has the folder */
    uint64_t pid;
    uint32_t slots; /* at least 1 */
    uint32_t credit;
    uint32_t held;    /* sum over the holdings */
    uint32_t backups; /* second attempts that it makes beside them */
    uint32_t grant;   /* scratch of the assignment */
    uint64_t completed;
    char *drain_reason; /* why it is drained, for people; NULL: it is not */
    uint64_t drain_ns;  /* since when */
    uint32_t failed;    /* tasks in a row that failed on it and not elsewhere */
    char *last_failure; /* in words; NULL: none */
    bool replaced;      /* what it has of results is made again by others */
    bool restored;      /* known from before a restart, not heard of since */
    uint64_t heard_at_ns;
    uint64_t beat_at_ns;

    uint64_t sent;          /* last TASK */
    uint64_t received;      /* last RESULT */
    uint64_t acknowledged;  /* last RESULT of which it was told */
    uint64_t expected_beat; /* last RESULT of which its previous heartbeat spoke */

    zn_holding *holdings;
    size_t holding_count;
    size_t holding_capacity;
    zn_touched_job *touched; /* ascending by job */
    size_t touched_count;
    size_t touched_capacity;

    uint32_t slots_counted; /* its part of the scheduler's sum of slots */
    bool ready;             /* in the scheduler's list of workers with free credit */
    bool fresh;             /* something has changed since it was last looked at there */
    TAILQ_ENTRY(zn_member) ready_link;
    TAILQ_ENTRY(zn_member) link;
} zn_member;

zn_member *zn_member_new(uint64_t id, uint64_t client);

/* The state after `event`, or -1 if it is not legal in `state`. */
int zn_member_next(int state, zn_member_event event);

/* Changes the state. REFUSED, with state and event in the text, if that is not legal. */
zonda_err zn_member_apply(zn_member *member, zn_member_event event, zonda_error *error);

/* Whether it has an epoch in which work goes on. */
static inline bool zn_member_is_registered(const zn_member *member) {
    return member->state == ZN_MEMBER_JOINED || member->state == ZN_MEMBER_DRAINING;
}

/* Takes what HELLO says and begins an epoch. What is held from the one before is recalled. */
void zn_member_begin(zn_member *member, const zn_msg_hello *hello, const zn_peer *peer,
                     uint64_t epoch, uint64_t now_ns);

/* Tasks that may still be given to it. */
uint32_t zn_member_room(const zn_member *member);

/* What it holds of a stage and has confirmed, or NULL. Valid until something changes. */
zn_holding *zn_member_holding(const zn_member *member, const zn_live_stage *stage);

/* Its holdings of a stage one by one, confirmed or not; `*at` is 0 at first. NULL: no more. */
const zn_holding *zn_member_next_holding(const zn_member *member, const zn_live_stage *stage,
                                         size_t *at);

/* Whether it holds the task, confirmed or not; then `*value` is what the holding says. */
bool zn_member_holds(const zn_member *member, const zn_live_stage *stage, uint32_t task,
                     uint64_t *value);

/* Its epoch is over: nothing that it holds is confirmed any more. */
void zn_member_recall(zn_member *member);

/* It has confirmed an attempt at tasks, some of which may be recalled. The first of those tasks
 * that was goes to `out` and is confirmed then; false if there is none. */
bool zn_member_reclaim(zn_member *member, zn_live_stage *stage, zn_task_run run, zn_task_run *out);

/* Adds tasks to what it holds; the value of the run is their attempt. */
void zn_member_hold(zn_member *member, zn_live_stage *stage, zn_task_run run, uint64_t now_ns);

/* Takes tasks away again; forgets the holding when it is empty. */
void zn_member_drop(zn_member *member, zn_holding *holding, uint32_t first, uint32_t count);
/* The same with one task, which it holds, confirmed or not. */
void zn_member_drop_task(zn_member *member, const zn_live_stage *stage, uint32_t task);

/* The entry of a job of which it got tasks, or NULL. */
zn_touched_job *zn_member_touched(const zn_member *member, uint64_t job);
void zn_member_touch(zn_member *member, uint64_t job);
void zn_member_forget_job(zn_member *member, uint64_t job);
void zn_member_destroy(zn_member **member);

#endif
