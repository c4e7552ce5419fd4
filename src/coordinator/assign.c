/* SPDX-License-Identifier: MPL-2.0 */
/* Who gets which tasks: one step, called once after a batch of other steps, so that many results
 * lead to few TASK messages.
 *
 * First it decides how many tasks each worker gets. Its share of everything outstanding, by slots,
 * is what a worker may hold: with few tasks all slots get some, and near the end of a stage nobody
 * hoards what others could run. What is then still left goes to workers whose slots would idle. If
 * there is plenty to do, the share exceeds the credit and only the credit counts.
 *
 * Then it fills each worker's number from the jobs that have work, in turn, so that a small job
 * does not wait for a large one; how much of one stage it may hold says stage_pace.h. Lists rotate
 * from step to step, so that nobody is always the first.
 *
 * With very many workers most steps look only at those of which something has changed, which stand
 * first in the list: that one has as much as it may hold is not found out again with every message
 * of any other. All are looked at when there is more to do than before, and every few
 * milliseconds. */
#include "coordinator/scheduler_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "coordinator/blame.h"

enum {
    PASSES = 3,
    LIMITED_AHEAD = 2
};

/* How many tasks the worker may hold at the most in a pass: its whole share rounded down, rounded
 * up, and at last as many as it has slots. */
static uint64_t limit_in_pass(const zn_scheduler *scheduler, const zn_member *member, int pass) {
    uint64_t outstanding = scheduler->pending + scheduler->running;
    uint64_t share = outstanding * member->slots / scheduler->slots;
    switch (pass) {
    case 0:
        return share > 0 ? share : 1;
    case 1:
        return share + 1;
    default:
        return share + 1 > member->slots ? share + 1 : member->slots;
    }
}

/* Raises the worker's grant towards a limit; returns by how much. */
static uint64_t raise_grant(zn_member *member, uint64_t limit, uint64_t left) {
    uint32_t room = zn_member_room(member) - member->grant;
    uint64_t has = (uint64_t)member->held + member->grant;
    uint64_t more = limit > has ? limit - has : 0;
    more = more < room ? more : room;
    more = more < left ? more : left;
    member->grant += (uint32_t)more;
    return more;
}

/* `member`, or NULL if this step does not look at it, nor at those behind it. */
static zn_member *seen(const zn_scheduler *scheduler, zn_member *member) {
    return member != NULL && (scheduler->survey || member->fresh) ? member : NULL;
}

#define FOREACH_SEEN(member, scheduler)                                                            \
    for ((member) = seen((scheduler), TAILQ_FIRST(&(scheduler)->ready)); (member) != NULL;         \
         (member) = seen((scheduler), TAILQ_NEXT(member, ready_link)))

static void decide_grants(zn_scheduler *scheduler) {
    uint64_t left = scheduler->pending;
    zn_member *member;
    FOREACH_SEEN(member, scheduler) {
        member->grant = 0;
        member->fresh = member->fresh && !scheduler->survey;
    }
    for (int pass = 0; pass < PASSES; pass++) {
        FOREACH_SEEN(member, scheduler) {
            if (left == 0) {
                return;
            }
            left -= raise_grant(member, limit_in_pass(scheduler, member, pass), left);
        }
    }
}

/* Moves up to `count` tasks of a stage to a worker in one TASK message; returns how many. */
static uint32_t send_task(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                          uint32_t count) {
    zn_run *runs = NULL;
    size_t run_count = 0;
    size_t run_capacity = 0;
    uint32_t given = 0;
    zn_task_run run;
    uint64_t avoided = zn_blame_avoids(scheduler, member, stage) ? member->id : 0;
    while (run_count < ZN_RUNS_MAX && zn_live_stage_take(stage, avoided, count - given, &run)) {
        ZN_ASSERT(run.count <= zn_member_room(member));
        zn_member_hold(member, stage, run, scheduler->now_ns);
        ZN_GROW(runs, run_count, run_capacity);
        runs[run_count++] = (zn_run){ run.first, run.count, run.value };
        given += run.count;
    }
    if (given == 0) {
        return 0; /* all that is ready is for others */
    }
    scheduler->running += given;
    stage->given_ns = stage->given_ns == 0 ? scheduler->now_ns : stage->given_ns;
    zn_scheduler_refresh_stage(scheduler, stage);
    zn_scheduler_send_runs(scheduler, member, stage, runs, run_count);
    return given;
}

void zn_scheduler_send_runs(zn_scheduler *scheduler, zn_member *member, const zn_live_stage *stage,
                            zn_run *runs, size_t run_count) {
    /* The letter may outlive the stage: the digest goes behind its runs. */
    runs = zn_realloc(runs, 1, run_count * sizeof(*runs) + sizeof(stage->body));
    zn_digest *body = memcpy(runs + run_count, &stage->body, sizeof(stage->body));
    zn_member_touch(member, stage->job->id);
    zn_message message = { .number = ZN_MSG_TASK };
    message.task = (zn_msg_task){ .epoch = member->epoch,
                                  .sequence = ++member->sent,
                                  .job = stage->job->id,
                                  .stage = stage->index,
                                  .body = zn_digest_bytes(body),
                                  .runs = runs,
                                  .runs_count = run_count,
                                  .hang_ms = stage->job->options.hang_ms };
    zn_scheduler_outbox_send(&scheduler->outbox, member->epoch, &member->peer, &message, runs);
}

/* How many more tasks of a stage with a limit may be out: as many as all workers can run twice
 * over, counted from the first that is not completed, because what lies behind is likely in vain.
 */
static uint64_t limited_room(const zn_scheduler *scheduler, const zn_live_stage *stage) {
    zn_task_run first;
    uint64_t end = stage->prefix + LIMITED_AHEAD * scheduler->slots;
    bool any = zn_task_set_next(&stage->pending, 0, &first);
    return any && end > first.first ? end - first.first : 0;
}

bool zn_scheduler_all_disks_full(const zn_scheduler *scheduler, const zn_live_stage *stage) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->state == ZN_MEMBER_JOINED &&
            !zn_full_disks_has(&stage->full_disks, member->id, scheduler->now_ns)) {
            return false;
        }
    }
    return true;
}

uint64_t zn_scheduler_stage_room(const zn_scheduler *scheduler, const zn_member *member,
                                 const zn_live_stage *stage) {
    const zn_holding *holding = zn_member_holding(member, stage);
    uint64_t held = holding != NULL ? holding->tasks.task_count : 0;
    uint64_t limit =
        zn_stage_pace_limit(&stage->pace, member->slots, scheduler->slots, scheduler->now_ns);
    uint64_t room = UINT64_MAX;
    if (stage->limit > 0) {
        limit = member->slots;
        room = limited_room(scheduler, stage);
    }
    if (zn_full_disks_has(&stage->full_disks, member->id, scheduler->now_ns)) {
        /* One task alone may find room where several did not. */
        limit = zn_scheduler_all_disks_full(scheduler, stage) ? 1 : 0;
    }
    uint64_t more = limit > held ? limit - held : 0;
    return more < room ? more : room;
}

/* Gives the worker up to `part` tasks of the job, earlier stages first; returns how many. */
static uint32_t give_part(zn_scheduler *scheduler, zn_member *member, zn_live_job *job,
                          uint32_t part) {
    uint32_t given = 0;
    zn_live_stage *stage = TAILQ_FIRST(&job->runnable);
    while (stage != NULL && given < part) {
        zn_live_stage *next = TAILQ_NEXT(stage, runnable_link);
        uint64_t room = zn_scheduler_stage_room(scheduler, member, stage);
        uint32_t count = room < part - given ? (uint32_t)room : part - given;
        given += count > 0 ? send_task(scheduler, member, stage, count) : 0;
        stage = next;
    }
    return given;
}

/* Gives the worker what was decided, an equal part from each job that has work. A job whose stages
 * have no room for more at this worker is passed over, and stays in front for the next one. */
static void hand_out(zn_scheduler *scheduler, zn_member *member) {
    uint64_t jobs = scheduler->runnable_count;
    uint32_t part = (uint32_t)((member->grant + jobs - 1) / jobs);
    zn_live_job *job = TAILQ_FIRST(&scheduler->runnable);
    for (uint64_t passed = 0; member->grant > 0 && passed < scheduler->runnable_count;) {
        zn_live_job *next = TAILQ_NEXT(job, runnable_link);
        uint32_t count = part < member->grant ? part : member->grant;
        uint32_t given = give_part(scheduler, member, job, count);
        member->grant -= given;
        passed = given > 0 ? 0 : passed + 1;
        if (given > 0 && !TAILQ_EMPTY(&job->runnable)) {
            TAILQ_REMOVE(&scheduler->runnable, job, runnable_link);
            TAILQ_INSERT_TAIL(&scheduler->runnable, job, runnable_link);
        }
        job = next != NULL ? next : TAILQ_FIRST(&scheduler->runnable);
    }
    zn_scheduler_refresh_member(scheduler, member);
}

static void put_last(zn_scheduler *scheduler, zn_member *member) {
    TAILQ_REMOVE(&scheduler->ready, member, ready_link);
    TAILQ_INSERT_TAIL(&scheduler->ready, member, ready_link);
    member->fresh = false;
}

/* Visits every ready worker once; those that got something come last next time. */
static void hand_out_to_all(zn_scheduler *scheduler) {
    zn_member *member = seen(scheduler, TAILQ_FIRST(&scheduler->ready));
    zn_member *last = TAILQ_LAST(&scheduler->ready, zn_ready_members);
    while (member != NULL) {
        zn_member *next = member == last ? NULL : seen(scheduler, TAILQ_NEXT(member, ready_link));
        if (member->grant > 0) {
            hand_out(scheduler, member);
            if (member->ready) {
                put_last(scheduler, member);
            }
        }
        member = next;
    }
}

/* What some could not use, because they have enough of those stages, goes to idle slots of others.
 */
static void grant_leftover(zn_scheduler *scheduler) {
    uint64_t left = 0;
    zn_member *member;
    FOREACH_SEEN(member, scheduler) {
        left += member->grant;
    }
    FOREACH_SEEN(member, scheduler) {
        if (member->grant > 0) {
            member->grant = 0;
        } else {
            left -= raise_grant(member, member->slots, left);
        }
    }
}

/* Who has been looked at has not changed since; behind the others until something does. */
static void end_step(zn_scheduler *scheduler) {
    bool all = scheduler->survey;
    zn_member *member = TAILQ_FIRST(&scheduler->ready);
    while (!all && member != NULL && member->fresh) {
        put_last(scheduler, member);
        member = TAILQ_FIRST(&scheduler->ready);
    }
    scheduler->unseen = !all && scheduler->pending > 0;
    scheduler->survey_ns = all ? scheduler->now_ns : scheduler->survey_ns;
    scheduler->pending_seen = scheduler->pending;
}

/* Whether a step looks at all workers. */
static bool is_survey(const zn_scheduler *scheduler) {
    return scheduler->ready_count <= scheduler->config.survey_workers ||
           scheduler->pending > scheduler->pending_seen ||
           scheduler->now_ns - scheduler->survey_ns >= ZN_SURVEY_NS;
}

void zn_scheduler_assign(zn_scheduler *scheduler) {
    scheduler->unseen = false;
    /* After a restart workers come back with tasks that they go on with. */
    if (scheduler->restored > 0 || scheduler->stopping || scheduler->pending == 0 ||
        TAILQ_EMPTY(&scheduler->ready)) {
        scheduler->pending_seen = scheduler->pending;
        return;
    }
    scheduler->survey = is_survey(scheduler);
    decide_grants(scheduler);
    hand_out_to_all(scheduler);
    if (scheduler->pending > 0) {
        grant_leftover(scheduler);
        hand_out_to_all(scheduler);
    }
    end_step(scheduler);
}
