/* SPDX-License-Identifier: MPL-2.0 */
/* Answers "why is this not running": walks through what must be there for a task to run (a job that
 * is open, a stage that was started, a worker, credit, the job's turn) and says in words and
 * numbers what is missing. The first reason is the one that matters most. `blocking` marks those
 * because of which the job makes no progress at all; a job that only waits for its own tasks has
 * none. */
#include "coordinator/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "coordinator/blame.h"
#include "coordinator/scheduler_internal.h"

#define LLU(number) ((unsigned long long)(number))

#define QUIET_NS (10 * ZN_NS_PER_S) /* no completed task for so long is worth saying */

/* What the reasons are made from. */
typedef struct facts {
    uint64_t now_ns;
    uint64_t pending; /* tasks of the job (or stage) that could run */
    uint64_t delayed; /* that failed and are not tried again yet */
    uint64_t due_ns;  /* when the first of them is */
    uint64_t held;    /* tasks of it that workers have */
    uint64_t holders; /* workers that have some */
    uint64_t held_s;  /* since the oldest was handed out */
    uint64_t failed;  /* attempts that failed */
    uint64_t moved_ns;
    uint64_t joined;   /* workers that are there */
    uint64_t asked;    /* workers that are to register again */
    uint64_t draining; /* workers that take nothing new */
    uint64_t slots;
    uint64_t credit;
    uint64_t held_all; /* tasks of all jobs that workers have */
    uint64_t room;     /* that these workers would still take, of anything */
    uint64_t allowed;  /* that they may get of these stages (see stage_pace.h) */
} facts;

__attribute__((format(printf, 4, 5))) static void
add_reason(zn_explanation *out, zn_wait_reason code, bool blocking, const char *format, ...) {
    if (out->reason_count == ZN_EXPLAIN_REASONS_MAX) {
        return;
    }
    char full[1024];
    char *text = out->texts[out->reason_count];
    va_list args;
    va_start(args, format);
    vsnprintf(full, sizeof(full), format, args);
    va_end(args);
    zn_error_copy(text, sizeof(out->texts[0]), full, strlen(full));
    out->reasons[out->reason_count++] = (zn_reason){ .code = (uint64_t)code,
                                                     .blocking = blocking ? 1 : 0,
                                                     .text = zn_bytes_of_text(text) };
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* ---- facts ---- */

static bool has_work_for(const zn_scheduler *scheduler, const zn_member *member,
                         const zn_live_stage *stage) {
    uint64_t avoided = zn_blame_avoids(scheduler, member, stage) ? member->id : 0;
    zn_task_choice theirs = { &stage->failed_at, avoided };
    zn_task_run run;
    return zn_stage_delay_next(&stage->delay, &stage->pending, &theirs, 1, &run);
}

static void look_at_stage(const zn_scheduler *scheduler, const zn_live_stage *stage, facts *f) {
    if (stage->state != ZN_STAGE_RUNNING) {
        return;
    }
    f->pending += zn_live_stage_ready(stage);
    if (stage->delayed) {
        bool first = f->delayed == 0 || stage->delay.due_ns < f->due_ns;
        f->due_ns = first ? stage->delay.due_ns : f->due_ns;
        f->delayed += stage->delay.tasks.task_count;
    }
    f->held += stage->running;
    f->failed += stage->failed.tasks;
    uint64_t moved_ns = stage->moved_ns > 0 ? stage->moved_ns : stage->given_ns;
    f->moved_ns = moved_ns > f->moved_ns ? moved_ns : f->moved_ns;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding = zn_member_holding(member, stage);
        zn_task_run run;
        f->holders += holding != NULL ? 1 : 0;
        for (uint32_t at = 0; holding != NULL && zn_task_set_next(&holding->tasks, at, &run);
             at = run.first + run.count) {
            uint64_t age_s = (zn_held_ms(run.value, f->now_ns) + 500) / 1000;
            f->held_s = age_s > f->held_s ? age_s : f->held_s;
        }
        if (zn_member_room(member) > 0 && has_work_for(scheduler, member, stage)) {
            f->allowed += zn_scheduler_stage_room(scheduler, member, stage);
        }
    }
}

static void look_at_workers(const zn_scheduler *scheduler, facts *f) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->state == ZN_MEMBER_JOINED) {
            f->joined++;
            f->slots += member->slots;
            f->credit += member->credit;
            f->held_all += member->held;
            f->room += zn_member_room(member);
        } else if (member->state == ZN_MEMBER_ASKED) {
            f->asked++;
        } else if (member->state == ZN_MEMBER_DRAINING) {
            f->draining++;
        }
    }
}

/* ---- reasons ---- */

/* Other jobs of which workers hold tasks. */
static uint64_t count_other_jobs(const zn_scheduler *scheduler, const zn_live_job *job) {
    uint64_t count = 0;
    const zn_live_job *other;
    TAILQ_FOREACH(other, &scheduler->jobs, link) {
        uint64_t held = 0;
        for (size_t i = 0; other != job && i < other->stage_count; i++) {
            held += other->stages[i]->running;
        }
        count += held > 0 ? 1 : 0;
    }
    return count;
}

static uint64_t held_of_job(const zn_live_job *job) {
    uint64_t held = 0;
    for (size_t i = 0; i < job->stage_count; i++) {
        held += job->stages[i]->running;
    }
    return held;
}

/* All credit is used: by this job alone, or by others too. */
static void say_busy(const zn_scheduler *scheduler, const zn_live_job *job, const facts *f,
                     zn_explanation *out) {
    uint64_t others = f->held_all - held_of_job(job);
    if (others == 0) {
        add_reason(out, ZN_WAIT_BUSY, false,
                   "%llu tasks wait: %llu worker%s with %llu slots hold %llu tasks, all that they "
                   "take at a time",
                   LLU(f->pending), LLU(f->joined), plural(f->joined), LLU(f->slots),
                   LLU(f->held_all));
        return;
    }
    uint64_t jobs = count_other_jobs(scheduler, job);
    add_reason(
        out, ZN_WAIT_FAIR_SHARE, f->held == 0,
        "%llu tasks wait for the job's turn: %llu worker%s with %llu slots hold %llu tasks, "
        "all that they take, %llu of them of %llu other job%s; as tasks end, jobs take turns",
        LLU(f->pending), LLU(f->joined), plural(f->joined), LLU(f->slots), LLU(f->held_all),
        LLU(others), LLU(jobs), plural(jobs));
}

static void say_why_pending(const zn_scheduler *scheduler, const zn_live_job *job, const facts *f,
                            zn_explanation *out) {
    if (f->joined == 0 && f->asked > 0) {
        add_reason(out, ZN_WAIT_NO_WORKER, true,
                   "%llu tasks wait: %llu worker%s lost touch and must register again",
                   LLU(f->pending), LLU(f->asked), plural(f->asked));
    } else if (f->joined == 0 && f->draining > 0) {
        add_reason(out, ZN_WAIT_NO_WORKER, true,
                   "%llu tasks wait: %llu worker%s drain%s and take%s no new tasks; start another "
                   "one, `zonda workers` tells why they drain",
                   LLU(f->pending), LLU(f->draining), plural(f->draining),
                   f->draining == 1 ? "s" : "", f->draining == 1 ? "s" : "");
    } else if (f->joined == 0) {
        add_reason(out, ZN_WAIT_NO_WORKER, true,
                   "%llu tasks wait: no worker is there; start one with `zonda worker --connect "
                   "ENDPOINT`",
                   LLU(f->pending));
    } else if (f->credit == 0) {
        add_reason(out, ZN_WAIT_NO_CREDIT, true,
                   "%llu tasks wait: %llu worker%s just joined and take no tasks yet",
                   LLU(f->pending), LLU(f->joined), plural(f->joined));
    } else if (f->room == 0) {
        say_busy(scheduler, job, f, out);
    } else if (f->allowed == 0) {
        add_reason(out, ZN_WAIT_NEW_STAGE, false,
                   "%llu tasks wait: every worker has as many of this stage as it will get round "
                   "to soon (%llu in all); more follow when some end",
                   LLU(f->pending), LLU(f->held));
    } else {
        add_reason(out, ZN_WAIT_HAND_OUT, false, "%llu tasks are handed out now", LLU(f->pending));
    }
}

static void say_silent(const zn_scheduler *scheduler, const zn_live_job *job, uint64_t now_ns,
                       zn_explanation *out) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        uint64_t silent_ns = now_ns > member->heard_at_ns ? now_ns - member->heard_at_ns : 0;
        if (zn_member_touched(member, job->id) != NULL &&
            silent_ns >= 2 * scheduler->config.heartbeat_ms * ZN_NS_PER_MS &&
            out->reason_count < ZN_EXPLAIN_REASONS_MAX / 2) {
            add_reason(out, ZN_WAIT_SILENT, false,
                       "worker %llu on %.64s (pid %llu) was not heard for %.1f s; after %.1f s it "
                       "is lost and others run its %u tasks",
                       LLU(member->id), member->host, LLU(member->pid),
                       (double)silent_ns / (double)ZN_NS_PER_S, scheduler->config.lost_ms / 1000.0,
                       member->held);
        }
    }
}

static void say_full_disks(const zn_live_stage *stage, uint64_t now_ns, zn_explanation *out) {
    for (size_t i = 0; i < stage->full_disks.count; i++) {
        const zn_full_disk *disk = &stage->full_disks.items[i];
        if (stage->state == ZN_STAGE_RUNNING &&
            zn_full_disks_has(&stage->full_disks, disk->worker, now_ns) &&
            out->reason_count < ZN_EXPLAIN_REASONS_MAX / 2) {
            add_reason(out, ZN_WAIT_DISK_FULL, false,
                       "the disk of worker %llu on %.64s was full: others run its tasks (%s)",
                       LLU(disk->worker), disk->host, disk->text);
        }
    }
}

static void say_delayed(const facts *f, zn_explanation *out) {
    uint64_t wait_ns = f->due_ns > f->now_ns ? f->due_ns - f->now_ns : 0;
    add_reason(out, ZN_WAIT_BACKOFF, false,
               "%llu task%s failed and %s tried again a little later, the first in %.2f s",
               LLU(f->delayed), plural(f->delayed), f->delayed == 1 ? "is" : "are",
               (double)wait_ns / (double)ZN_NS_PER_S);
}

static void say_held(const facts *f, zn_explanation *out) {
    uint64_t still_ns = f->now_ns > f->moved_ns ? f->now_ns - f->moved_ns : 0;
    bool quiet = still_ns >= QUIET_NS && f->held_s * ZN_NS_PER_S >= QUIET_NS;
    if (quiet) {
        add_reason(out, ZN_WAIT_HELD, true,
                   "%llu tasks are with %llu worker%s, the oldest for %llu s; none was completed "
                   "for %llu s",
                   LLU(f->held), LLU(f->holders), plural(f->holders), LLU(f->held_s),
                   LLU(still_ns / ZN_NS_PER_S));
    } else {
        add_reason(out, ZN_WAIT_HELD, false, "%llu tasks are with %llu worker%s", LLU(f->held),
                   LLU(f->holders), plural(f->holders));
    }
}

static void explain_open(const zn_scheduler *scheduler, const zn_live_job *job,
                         const zn_live_stage *stage, facts *f, zn_explanation *out) {
    for (size_t i = 0; i < job->stage_count; i++) {
        if (stage == NULL || job->stages[i] == stage) {
            look_at_stage(scheduler, job->stages[i], f);
        }
    }
    look_at_workers(scheduler, f);
    if (f->pending > 0) {
        say_why_pending(scheduler, job, f, out);
    }
    if (f->delayed > 0) {
        say_delayed(f, out);
    }
    say_silent(scheduler, job, f->now_ns, out);
    for (size_t i = 0; i < job->stage_count; i++) {
        if (stage == NULL || job->stages[i] == stage) {
            say_full_disks(job->stages[i], f->now_ns, out);
        }
    }
    if (f->held > 0) {
        say_held(f, out);
    }
    if (f->failed > 0) {
        add_reason(out, ZN_WAIT_RETRIES, false, "%llu attempt%s failed and are made again",
                   LLU(f->failed), plural(f->failed));
    }
    if (f->pending == 0 && f->delayed == 0 && f->held == 0) {
        uint64_t silent_ns = f->now_ns > job->called_ns ? f->now_ns - job->called_ns : 0;
        add_reason(out, ZN_WAIT_DRIVER, true,
                   "%s: the next step is the driver's, which last called %.1f s ago",
                   job->stage_count == 0 ? "no stage was started" : "all its tasks are completed",
                   (double)silent_ns / (double)ZN_NS_PER_S);
    }
}

void zn_explain_reasons(const zn_scheduler *scheduler, uint64_t now_ns, const zn_live_job *job,
                        const zn_live_stage *stage, zn_explanation *out) {
    facts f = { .now_ns = now_ns };
    if (scheduler->stopping) {
        add_reason(out, ZN_WAIT_STOPPING, true, "the cluster is being closed");
    }
    if (job->state == ZN_JOB_CLOSING) {
        add_reason(out, ZN_WAIT_CLOSING, true,
                   "the job is being closed: %u worker%s not let go of it yet", job->waiting,
                   job->waiting == 1 ? " has" : "s have");
    } else if (job->state != ZN_JOB_OPEN) {
        add_reason(out, ZN_WAIT_ENDED, true,
                   "the job %s and waits for its driver to close it: %.150s",
                   job->state == ZN_JOB_FAILED ? "failed" : "was cancelled", job->ended->text);
    } else {
        explain_open(scheduler, job, stage, &f, out);
    }
}
