/* SPDX-License-Identifier: MPL-2.0 */
/* Second attempts. When nothing is left to hand out and slots are idle, a task that is out for much
 * longer than tasks of its stage take gets another attempt elsewhere: its slot or its worker may be
 * slow, or it may wait behind something slow. Who ends first wins, the other one is withdrawn.
 *
 * The one who holds a task remains its holder; second attempts are in a list of the stage, beside
 * the holdings. A second attempt becomes the holder's when it wins, when it is the first that asks
 * to publish, or when the other one fails. So a task is never held twice, and all that is said of
 * holdings stays true. */
#include "coordinator/scheduler_backups.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/scheduler_internal.h"

enum {
    LATE_MS_MIN = 100, /* behind the mean: less is chance */
    LOOK_MS = 50
};

/* ---- who has what ---- */

static zn_member *holder_of(const zn_scheduler *scheduler, const zn_live_stage *stage,
                            uint32_t task, uint64_t *value) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (zn_member_holds(member, stage, task, value)) {
            return member;
        }
    }
    return NULL;
}

static void remove_backup(zn_live_stage *stage, zn_backup *backup) {
    backup->member->backups--;
    zn_stage_backups_remove(&stage->backups, backup);
}

void zn_scheduler_withdraw(zn_scheduler *scheduler, const zn_member *member,
                           const zn_live_stage *stage, uint32_t task, uint64_t attempt) {
    zn_run run = { task, 1, attempt };
    zn_run *copy = zn_memdup(&run, sizeof(run));
    zn_message message = { .number = ZN_MSG_WITHDRAW };
    message.withdraw = (zn_msg_withdraw){ .epoch = member->epoch,
                                          .job = stage->job->id,
                                          .stage = stage->index,
                                          .runs = copy,
                                          .runs_count = 1 };
    zn_scheduler_outbox_send(&scheduler->outbox, member->epoch, &member->peer, &message, copy);
}

/* Takes the task from its holder, who is to end its attempt. */
static void take_from_holder(zn_scheduler *scheduler, zn_live_stage *stage, uint32_t task) {
    uint64_t value = 0;
    zn_member *holder = holder_of(scheduler, stage, task, &value);
    ZN_ASSERT(holder != NULL); /* only a task that is held has a second attempt */
    zn_member_drop_task(holder, stage, task);
    if (holder->epoch != 0) {
        zn_scheduler_withdraw(scheduler, holder, stage, task, zn_held_attempt(value));
    }
    zn_scheduler_refresh_member(scheduler, holder);
}

/* The second attempt at a task that nobody holds any more becomes the only one. */
static void promote(zn_scheduler *scheduler, zn_live_stage *stage, zn_backup *backup) {
    zn_member *member = backup->member;
    zn_task_run run = { backup->task, 1, backup->attempt };
    remove_backup(stage, backup);
    zn_member_hold(member, stage, run, scheduler->now_ns);
    stage->retries++;
    zn_scheduler_refresh_member(scheduler, member);
}

static zn_backup *find_backup(const zn_member *member, const zn_live_stage *stage, uint32_t task,
                              uint64_t attempt) {
    zn_backup *backup = zn_stage_backups_find(&stage->backups, task, (uint64_t)task + 1);
    bool its = backup != NULL && backup->member == member && backup->attempt == attempt;
    return its ? backup : NULL;
}

/* ---- what becomes of them ---- */

/* The attempt in `part` has ended; `next` is the one after it, or a later one that is out or comes
 * next. */
static void note_end(zn_scheduler *scheduler, const zn_live_stage *stage, zn_task_run part,
                     uint64_t next, const zonda_error *failure) {
    part.value++;
    zn_note_attempts(scheduler, stage, part, failure);
    if (next > part.value) {
        part.value = next;
        zn_note_attempts(scheduler, stage, part, NULL);
    }
}

void zn_scheduler_give_back(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                            bool note, const zonda_error *failure) {
    while (run.count > 0) {
        zn_task_run part = run;
        uint64_t used = zn_stage_backups_cut(&stage->backups, &part);
        run.first += part.count;
        run.count -= part.count;
        zn_backup *backup =
            zn_stage_backups_find(&stage->backups, part.first, (uint64_t)part.first + part.count);
        if (note) {
            note_end(scheduler, stage, part, backup != NULL ? used : used + 1, failure);
        }
        if (backup != NULL) {
            promote(scheduler, stage, backup);
            scheduler->running++;
        } else {
            part.value = part.value > used ? part.value : used;
            zn_live_stage_give_back(stage, part);
        }
    }
}

bool zn_scheduler_backup_wins(zn_scheduler *scheduler, const zn_member *member,
                              zn_live_stage *stage, uint32_t task, uint64_t attempt) {
    zn_backup *backup = find_backup(member, stage, task, attempt);
    if (backup == NULL) {
        return false;
    }
    remove_backup(stage, backup);
    take_from_holder(scheduler, stage, task);
    stage->backups.won++;
    stage->retries++;
    zn_log(ZONDA_LOG_DEBUG, "backup-won", "job=%llu stage=%u task=%u worker=%llu",
           (unsigned long long)stage->job->id, stage->index, task, (unsigned long long)member->id);
    return true;
}

bool zn_scheduler_backup_fails(const zn_member *member, zn_live_stage *stage, uint32_t task,
                               uint64_t attempt) {
    zn_backup *backup = find_backup(member, stage, task, attempt);
    if (backup != NULL) {
        remove_backup(stage, backup);
    }
    return backup != NULL;
}

bool zn_scheduler_may_publish(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                              uint32_t task, uint64_t attempt) {
    const zn_holding *holding = zn_member_holding(member, stage);
    uint64_t value = 0;
    if (stage->state != ZN_STAGE_RUNNING) {
        return false;
    }
    if (zn_scheduler_backup_wins(scheduler, member, stage, task, attempt)) {
        zn_member_hold(member, stage, (zn_task_run){ task, 1, attempt }, scheduler->now_ns);
        zn_scheduler_refresh_member(scheduler, member);
    } else if (holding == NULL || !zn_task_set_get(&holding->tasks, task, &value) ||
               zn_held_attempt(value) != attempt) {
        return false;
    }
    zn_scheduler_end_backups(scheduler, stage, task, 1);
    if (!zn_task_set_get(&stage->backups.publishing, task, NULL)) {
        zn_task_set_insert(&stage->backups.publishing, (zn_task_run){ task, 1, 0 });
    }
    return true;
}

void zn_scheduler_end_backups(zn_scheduler *scheduler, zn_live_stage *stage, uint32_t first,
                              uint32_t count) {
    zn_backup *backup;
    while (stage->backups.count > 0 &&
           (backup = zn_stage_backups_find(&stage->backups, first, (uint64_t)first + count)) !=
               NULL) {
        zn_scheduler_withdraw(scheduler, backup->member, stage, backup->task, backup->attempt);
        remove_backup(stage, backup);
    }
}

static void forget_in_stage(zn_live_stage *stage, const zn_member *member) {
    for (size_t i = stage->backups.count; i > 0; i--) {
        if (stage->backups.items[i - 1].member == member) {
            remove_backup(stage, &stage->backups.items[i - 1]);
        }
    }
}

void zn_scheduler_forget_backups(zn_scheduler *scheduler, zn_member *member) {
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; member->backups > 0 && i < job->stage_count; i++) {
            forget_in_stage(job->stages[i], member);
        }
    }
}

/* ---- giving them ---- */

static uint32_t idle_slots(const zn_member *member) {
    uint32_t busy = member->held + member->backups;
    return zn_member_room(member) > 0 && member->slots > busy ? member->slots - busy : 0;
}

/* The worker with the most idle slots; the holder itself only if no other has any. */
static zn_member *pick_member(const zn_scheduler *scheduler, const zn_live_stage *stage,
                              const zn_member *holder) {
    zn_member *best = NULL;
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        uint32_t idle = idle_slots(member);
        if (idle == 0 || zn_full_disks_has(&stage->full_disks, member->id, scheduler->now_ns)) {
            continue;
        }
        if (best == NULL || best == holder || (member != holder && idle > idle_slots(best))) {
            best = member;
        }
    }
    return best;
}

static void give(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage, uint32_t task,
                 uint64_t attempt) {
    zn_stage_backups_add(&stage->backups, (zn_backup){ task, attempt, member });
    zn_live_stage_raise_max(stage, attempt);
    member->backups++;
    zn_note_attempts(scheduler, stage, (zn_task_run){ task, 1, attempt }, NULL);
    zn_run run = { task, 1, attempt };
    zn_scheduler_send_runs(scheduler, member, stage, zn_memdup(&run, sizeof(run)), 1);
    zn_log(ZONDA_LOG_DEBUG, "backup-given", "job=%llu stage=%u task=%u worker=%llu",
           (unsigned long long)stage->job->id, stage->index, task, (unsigned long long)member->id);
}

static bool wants_backup(const zn_live_stage *stage, uint32_t task) {
    return !zn_task_set_get(&stage->backups.used, task, NULL) &&
           !zn_task_set_get(&stage->backups.publishing, task, NULL);
}

/* False if nobody has an idle slot. */
static bool back_up_run(zn_scheduler *scheduler, const zn_member *holder, zn_live_stage *stage,
                        zn_task_run run) {
    for (uint32_t i = 0; i < run.count; i++) {
        uint32_t task = run.first + i;
        if (!wants_backup(stage, task)) {
            continue;
        }
        zn_member *member = pick_member(scheduler, stage, holder);
        if (member == NULL) {
            return false;
        }
        give(scheduler, member, stage, task, zn_held_attempt(run.value) + 1);
    }
    return true;
}

static bool back_up_holding(zn_scheduler *scheduler, const zn_member *holder,
                            const zn_holding *holding, uint64_t late_ms) {
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&holding->tasks, at, &run); at = run.first + run.count) {
        if (zn_held_ms(run.value, scheduler->now_ns) >= late_ms &&
            !back_up_run(scheduler, holder, holding->stage, run)) {
            return false;
        }
    }
    return true;
}

static bool may_back_up(const zn_live_job *job, const zn_live_stage *stage) {
    return job->options.backups && stage->state == ZN_STAGE_RUNNING && stage->limit == 0 &&
           stage->running > 0 && stage->pending.task_count == 0 &&
           stage->results.task_count * 2 >= stage->total && stage->backups.timed > 0;
}

static void back_up_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    uint64_t mean_ms = zn_stage_backups_mean_ms(&stage->backups);
    uint64_t late_ms = mean_ms / 2 > LATE_MS_MIN ? mean_ms + mean_ms / 2 : mean_ms + LATE_MS_MIN;
    zn_member *holder;
    TAILQ_FOREACH(holder, &scheduler->members, link) {
        const zn_holding *holding = zn_member_holding(holder, stage);
        if (holding != NULL && !back_up_holding(scheduler, holder, holding, late_ms)) {
            return;
        }
    }
}

void zn_scheduler_give_backups(zn_scheduler *scheduler) {
    if (scheduler->now_ns < zn_scheduler_backups_due(scheduler)) {
        return;
    }
    scheduler->backup_ns = scheduler->now_ns;
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; job->state == ZN_JOB_OPEN && i < job->stage_count; i++) {
            if (may_back_up(job, job->stages[i])) {
                back_up_stage(scheduler, job->stages[i]);
            }
        }
    }
}

uint64_t zn_scheduler_backups_due(const zn_scheduler *scheduler) {
    bool none = scheduler->stopping || scheduler->pending > 0 || scheduler->running == 0 ||
                scheduler->running >= scheduler->slots;
    return none ? UINT64_MAX : scheduler->backup_ns + LOOK_MS * ZN_NS_PER_MS;
}
