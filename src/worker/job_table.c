/* SPDX-License-Identifier: MPL-2.0 */
/* The jobs that a worker has tasks of, or had and has not yet been told to forget. A job leaves in
 * this order: its queue and chunks are given up, every slot that knows it is told DONE, attempts
 * that died are swept, and when the last slot has answered its segments are removed and the
 * coordinator gets its answer. A coordinator of another cluster closes jobs in the same way,
 * without an answer: attempts that were running may then still leave segments. DONE may come later,
 * for a job that has no entry any more. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/manager_parts.h"

static const uint64_t SWEEP_WAIT_NS_MAX = 10 * ZN_NS_PER_S;

static void forget_kept(zn_slot_manager *m, uint64_t id) {
    for (uint32_t i = 0; i < m->kept_count; i++) {
        if (m->kept[i] == id) {
            m->kept_count -= 1;
            memmove(&m->kept[i], &m->kept[i + 1], (m->kept_count - i) * sizeof *m->kept);
            return;
        }
    }
}

/* Nobody may ever say DONE for it, so there is a bound. */
static void keep_segments(zn_slot_manager *m, uint64_t id) {
    forget_kept(m, id);
    if (m->kept_count == ZN_KEPT_JOBS_MAX) {
        zn_outbox_add(m->outbox, ZN_ACTION_REMOVE_JOB)->job.value = m->kept[0];
        forget_kept(m, m->kept[0]);
    }
    m->kept[m->kept_count++] = id;
}

static zn_held_job *open_job(zn_slot_manager *m, uint64_t id) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        if (job->id == id && !job->closing) {
            return job;
        }
    }
    forget_kept(m, id);
    zn_held_job *job = ZN_NEW(zn_held_job);
    job->id = id;
    job->known = zn_calloc(m->config.slots, sizeof *job->known);
    job->waiting = zn_calloc(m->config.slots, sizeof *job->waiting);
    job->next = m->jobs;
    m->jobs = job;
    return job;
}

zn_held_stage *zn_jobs_stage(zn_slot_manager *m, uint64_t job_id, uint32_t id, zn_bytes body) {
    ZN_ASSERT(body.len == ZN_DIGEST_BYTES);
    zn_held_job *job = open_job(m, job_id);
    for (zn_held_stage *stage = job->stages; stage != NULL; stage = stage->next) {
        if (stage->id == id) {
            return stage;
        }
    }
    zn_held_stage *stage = ZN_NEW(zn_held_stage);
    stage->job = job;
    stage->id = id;
    stage->warm = zn_calloc(m->config.slots, sizeof *stage->warm);
    memcpy(stage->body, body.data, ZN_DIGEST_BYTES);
    stage->next = job->stages;
    job->stages = stage;
    return stage;
}

/* The last in the order. */
static void make_ready(zn_slot_manager *m, zn_held_stage *stage) {
    stage->ready = true;
    stage->next_ready = NULL;
    if (m->ready_last == NULL) {
        m->ready_first = stage;
    } else {
        m->ready_last->next_ready = stage;
    }
    m->ready_last = stage;
}

void zn_jobs_queue(zn_slot_manager *m, zn_held_stage *stage, zn_run run, bool front) {
    if (front) {
        zn_run_queue_prepend(&stage->queue, run);
    } else {
        zn_run_queue_append(&stage->queue, run);
    }
    if (!stage->ready) {
        make_ready(m, stage);
    }
}

void zn_jobs_yield(zn_slot_manager *m, zn_held_stage *stage) {
    if (stage->ready) {
        zn_jobs_unready(m, stage);
        make_ready(m, stage);
    }
}

void zn_jobs_unready(zn_slot_manager *m, zn_held_stage *stage) {
    zn_held_stage *previous = NULL;
    for (zn_held_stage *at = m->ready_first; at != NULL; previous = at, at = at->next_ready) {
        if (at != stage) {
            continue;
        }
        if (previous == NULL) {
            m->ready_first = stage->next_ready;
        } else {
            previous->next_ready = stage->next_ready;
        }
        if (m->ready_last == stage) {
            m->ready_last = previous;
        }
        stage->ready = false;
        stage->next_ready = NULL;
        return;
    }
}

void zn_jobs_cancel(zn_slot_manager *m, zn_held_job *job) {
    for (zn_held_stage *stage = job->stages; stage != NULL; stage = stage->next) {
        m->held -= stage->queue.tasks;
        m->totals.withdrawn += stage->queue.tasks;
        zn_run_queue_clear(&stage->queue);
        if (stage->ready) {
            zn_jobs_unready(m, stage);
        }
    }
    zn_slots_cancel_job(m, job);
}

static void withdraw_run(zn_slot_manager *m, zn_held_stage *stage, const zn_run *run) {
    uint64_t removed = zn_run_queue_remove(&stage->queue, *run);
    m->held -= removed;
    m->totals.withdrawn += removed;
    if (stage->ready && stage->queue.tasks == 0) {
        zn_jobs_unready(m, stage);
    }
    zn_slots_withdraw(m, stage, run);
}

void zn_jobs_withdraw(zn_slot_manager *m, const zn_msg_withdraw *withdraw) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        zn_held_stage *stage = job->id == withdraw->job && !job->closing ? job->stages : NULL;
        for (; stage != NULL; stage = stage->next) {
            for (size_t i = 0; stage->id == withdraw->stage && i < withdraw->runs_count; i++) {
                withdraw_run(m, stage, &withdraw->runs[i]);
            }
        }
    }
}

static void tell_done(zn_slot_manager *m, zn_held_job *job, uint32_t slot) {
    job->waiting[slot] = true;
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_SLOT, slot, ZN_MSG_DONE);
    message->done = (zn_msg_done){ .epoch = m->epoch, .scope = ZN_DONE_JOB, .job = job->id };
}

/* A slot must not forget a stage that it is yet to sweep, so DONE waits for the sweeps. */
static void tell_slots(zn_slot_manager *m, zn_held_job *job) {
    if (job->sweep_count > 0 || job->sweeping > 0) {
        return;
    }
    for (uint32_t slot = 0; slot < m->config.slots; slot++) {
        if (job->known[slot]) {
            job->known[slot] = false;
            tell_done(m, job, slot);
        }
    }
}

void zn_jobs_close(zn_slot_manager *m, zn_held_job *job) {
    if (job->closing) {
        return;
    }
    job->closing = true;
    zn_jobs_cancel(m, job);
}

static bool has_job(const zn_slot_manager *m, uint64_t id) {
    for (const zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        if (job->id == id) {
            return true;
        }
    }
    return false;
}

static void answer_done(zn_slot_manager *m, uint64_t id) {
    if (!has_job(m, id)) {
        forget_kept(m, id);
        zn_outbox_add(m->outbox, ZN_ACTION_REMOVE_JOB)->job.value = id;
        zn_link_done(m, id);
    }
}

/* For a job without an entry the answer is due at once; otherwise collecting gives it. */
void zn_jobs_done(zn_slot_manager *m, uint64_t id) {
    answer_done(m, id);
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        if (job->id == id) {
            job->answer = true;
            zn_jobs_close(m, job);
        }
    }
}

static void name_job(zn_msg_hello *hello, uint64_t id) {
    for (size_t i = 0; i < hello->jobs_count; i++) {
        if (hello->jobs[i].job == id) {
            return;
        }
    }
    if (hello->jobs_count < ZN_HELLO_JOBS_MAX) {
        hello->jobs[hello->jobs_count++].job = id;
    }
}

void zn_jobs_name(zn_slot_manager *m, zn_msg_hello *hello) {
    hello->jobs = zn_arena_take(&m->outbox->arena, ZN_HELLO_JOBS_MAX * sizeof *hello->jobs);
    for (uint32_t i = 0; i < m->kept_count; i++) {
        name_job(hello, m->kept[i]);
    }
    for (const zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        name_job(hello, job->id);
    }
}

static void free_job(zn_held_job *job) {
    for (zn_held_stage *stage = job->stages, *next; stage != NULL; stage = next) {
        next = stage->next;
        zn_run_queue_free(&stage->queue);
        free(stage->warm);
        free(stage);
    }
    free(job->known);
    free(job->waiting);
    free(job->sweeps);
    free(job);
}

static bool is_gone(const zn_slot_manager *m, const zn_held_job *job) {
    if (!job->closing || job->sweep_count > 0 || job->sweeping > 0) {
        return false;
    }
    for (uint32_t slot = 0; slot < m->config.slots; slot++) {
        if (job->known[slot] || job->waiting[slot]) {
            return false;
        }
    }
    return true;
}

void zn_jobs_collect(zn_slot_manager *m) {
    bool had = m->jobs != NULL;
    zn_held_job **at = &m->jobs;
    while (*at != NULL) {
        zn_held_job *job = *at;
        if (job->closing) {
            tell_slots(m, job);
        }
        if (is_gone(m, job)) {
            *at = job->next;
            if (job->answer) {
                answer_done(m, job->id);
            } else if (!has_job(m, job->id)) {
                keep_segments(m, job->id);
            }
            free_job(job);
        } else {
            at = &job->next;
        }
    }
    if (had && m->jobs == NULL) {
        zn_outbox_add(m->outbox, ZN_ACTION_FORGET_BLOBS);
    }
}

/* Messages to a slot keep their order, so its answer is for the oldest entry that waits. */
static void answer_oldest(zn_slot_manager *m, uint32_t slot, uint64_t id) {
    zn_held_job *oldest = NULL;
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        if (job->id == id && job->waiting[slot]) {
            oldest = job;
        }
    }
    if (oldest != NULL) {
        oldest->waiting[slot] = false;
    }
}

void zn_jobs_slot_answered(zn_slot_manager *m, uint32_t slot, uint64_t id) {
    if (id != 0) {
        answer_oldest(m, slot, id);
        return;
    }
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        job->waiting[slot] = false;
        job->known[slot] = false;
        for (zn_held_stage *stage = job->stages; stage != NULL; stage = stage->next) {
            stage->warm[slot] = false;
        }
    }
}

void zn_jobs_sweep(zn_slot_manager *m, zn_held_stage *stage, uint64_t task, uint64_t attempt) {
    zn_held_job *job = stage->job;
    ZN_GROW(job->sweeps, job->sweep_count, job->sweep_capacity);
    job->sweeps[job->sweep_count++] =
        (zn_sweep){ .stage = stage, .task = task, .attempt = attempt, .since_ns = m->now_ns };
}

void zn_jobs_expire_sweeps(zn_slot_manager *m) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        while (job->sweep_count > 0 && m->now_ns - job->sweeps[0].since_ns >= SWEEP_WAIT_NS_MAX) {
            zn_log(ZONDA_LOG_WARN, "worker.sweep_given_up", "job=%llu task=%llu",
                   (unsigned long long)job->id, (unsigned long long)job->sweeps[0].task);
            job->sweep_count -= 1;
            memmove(job->sweeps, job->sweeps + 1, job->sweep_count * sizeof *job->sweeps);
        }
    }
}

void zn_jobs_free(zn_slot_manager *m) {
    while (m->jobs != NULL) {
        zn_held_job *job = m->jobs;
        m->jobs = job->next;
        free_job(job);
    }
}
