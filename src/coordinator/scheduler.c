/* SPDX-License-Identifier: MPL-2.0 */
/* The core of the coordinator: takes messages of workers and the passing of time, and keeps the
 * lists by which the other parts find work and workers without searching. Joining and leaving are
 * in scheduler_members.c, jobs in scheduler_jobs.c, what became of tasks in scheduler_outcomes.c,
 * who gets tasks in assign.c. invariants.h says what always holds between two steps.
 *
 * It reads no clock and touches no socket: the same events give the same letters. */
#include "coordinator/scheduler.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/lineage.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/scheduler_drain.h"
#include "coordinator/scheduler_internal.h"

zn_scheduler *zn_scheduler_new(const zn_scheduler_config *config, uint64_t now_ns) {
    ZN_ASSERT(config->first_job > 0 && config->first_epoch > 0);
    ZN_ASSERT(config->heartbeat_ms > 0 && config->lost_ms > 0);
    zn_scheduler *scheduler = ZN_NEW(zn_scheduler);
    scheduler->config = *config;
    if (scheduler->config.survey_workers == 0) {
        scheduler->config.survey_workers = ZN_SURVEY_WORKERS_MAX;
    }
    scheduler->began_ns = now_ns;
    scheduler->now_ns = now_ns;
    scheduler->tick_ns = now_ns;
    scheduler->scan_ns = now_ns;
    scheduler->next_job = config->first_job;
    scheduler->next_epoch = config->first_epoch;
    scheduler->next_worker = 1;
    scheduler->notes.kept = config->durable;
    scheduler->history.max = config->history_jobs;
    scheduler->blobs = zn_blob_store_new(config->blob_bytes_max);
    TAILQ_INIT(&scheduler->jobs);
    TAILQ_INIT(&scheduler->runnable);
    TAILQ_INIT(&scheduler->members);
    TAILQ_INIT(&scheduler->ready);
    TAILQ_INIT(&scheduler->changed);
    TAILQ_INIT(&scheduler->delayed);
    return scheduler;
}

/* ---- lists ---- */

/* Earlier stages come first, so that a task that is tried again does not wait for later stages. */
static void insert_runnable(zn_live_job *job, zn_live_stage *stage) {
    zn_live_stage *other;
    TAILQ_FOREACH(other, &job->runnable, runnable_link) {
        if (other->index > stage->index) {
            TAILQ_INSERT_BEFORE(other, stage, runnable_link);
            return;
        }
    }
    TAILQ_INSERT_TAIL(&job->runnable, stage, runnable_link);
}

static void refresh_delayed(zn_scheduler *scheduler, zn_live_stage *stage) {
    bool delayed = stage->delay.tasks.task_count > 0;
    if (delayed && !stage->delayed) {
        TAILQ_INSERT_TAIL(&scheduler->delayed, stage, delayed_link);
    } else if (!delayed && stage->delayed) {
        TAILQ_REMOVE(&scheduler->delayed, stage, delayed_link);
    }
    stage->delayed = delayed;
}

void zn_scheduler_refresh_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    zn_live_job *job = stage->job;
    bool open = stage->state == ZN_STAGE_RUNNING && !zn_lineage_is_blocked(stage);
    uint64_t pending = open ? zn_live_stage_ready(stage) : 0;
    refresh_delayed(scheduler, stage);
    scheduler->pending += pending - stage->pending_counted;
    stage->pending_counted = pending;
    if (stage->runnable == (pending > 0)) {
        return;
    }
    stage->runnable = pending > 0;
    if (stage->runnable) {
        if (TAILQ_EMPTY(&job->runnable)) {
            TAILQ_INSERT_TAIL(&scheduler->runnable, job, runnable_link);
            scheduler->runnable_count++;
        }
        insert_runnable(job, stage);
    } else {
        TAILQ_REMOVE(&job->runnable, stage, runnable_link);
        if (TAILQ_EMPTY(&job->runnable)) {
            TAILQ_REMOVE(&scheduler->runnable, job, runnable_link);
            scheduler->runnable_count--;
        }
    }
}

void zn_scheduler_refresh_member(zn_scheduler *scheduler, zn_member *member) {
    bool open = member->state == ZN_MEMBER_JOINED && member->credit > 0;
    uint32_t slots = open ? member->slots : 0;
    scheduler->slots += slots;
    scheduler->slots -= member->slots_counted;
    member->slots_counted = slots;
    bool ready = zn_member_room(member) > 0;
    if (ready && !member->ready) {
        TAILQ_INSERT_TAIL(&scheduler->ready, member, ready_link);
        scheduler->ready_count++;
    } else if (!ready && member->ready) {
        TAILQ_REMOVE(&scheduler->ready, member, ready_link);
        scheduler->ready_count--;
    }
    member->ready = ready;
    member->fresh = ready;
    if (ready && scheduler->ready_count > scheduler->config.survey_workers) {
        TAILQ_REMOVE(&scheduler->ready, member, ready_link);
        TAILQ_INSERT_HEAD(&scheduler->ready, member, ready_link);
    }
}

static void send_event(zn_scheduler *scheduler, zn_live_stage *stage) {
    if (stage->changed) {
        TAILQ_REMOVE(&scheduler->changed, stage, changed_link);
        stage->changed = false;
    }
    stage->event_at_ns = scheduler->now_ns;
    zn_message message = { .number = ZN_MSG_EVENT };
    message.event = (zn_msg_event){ .job = stage->job->id, .stage = stage->index };
    zn_scheduler_outbox_event(&scheduler->outbox, &message);
}

void zn_scheduler_stage_changed(zn_scheduler *scheduler, zn_live_stage *stage) {
    if (stage->state != ZN_STAGE_RUNNING) {
        send_event(scheduler, stage);
    } else if (!stage->changed) {
        TAILQ_INSERT_TAIL(&scheduler->changed, stage, changed_link);
        stage->changed = true;
    }
}

void zn_scheduler_unlink_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    ZN_ASSERT(!stage->runnable && !stage->delayed && stage->running == 0);
    if (stage->changed) {
        TAILQ_REMOVE(&scheduler->changed, stage, changed_link);
        stage->changed = false;
    }
}

/* ---- messages of workers ---- */

zn_member *zn_scheduler_member(const zn_scheduler *scheduler, uint64_t epoch) {
    return epoch == 0 ? NULL : zn_key_map_get(&scheduler->epoch_map, epoch);
}

zn_member *zn_scheduler_holder(const zn_scheduler *scheduler, uint64_t client) {
    return zn_key_map_get(&scheduler->client_map, client);
}

void zn_scheduler_tell(zn_scheduler *scheduler, const zn_member *member,
                       const zn_message *message) {
    zn_scheduler_outbox_send(&scheduler->outbox, member->epoch, &member->peer, message, NULL);
}

/* A worker sends heartbeats and credit behind what it says of earlier epochs: what it has finished
 * or still runs is known now, and nothing of that is given to anybody. */
static void take_word_of_now(zn_scheduler *scheduler, zn_member *member) {
    zn_scheduler_give_up_recalled(scheduler, member);
    zn_scheduler_member_back(scheduler, member);
}

static void take_heartbeat(zn_scheduler *scheduler, zn_member *member,
                           const zn_msg_heartbeat *heartbeat) {
    take_word_of_now(scheduler, member);
    if (member->received < member->expected_beat) {
        zn_scheduler_give_up_epoch(scheduler, member);
        return;
    }
    member->expected_beat = heartbeat->sent;
}

/* Whether a numbered message is the next one; then it counts as received. */
static bool is_next(zn_scheduler *scheduler, zn_member *member, uint64_t sequence) {
    if (sequence <= member->received) {
        scheduler->stats.duplicates++;
        zn_log(ZONDA_LOG_DEBUG, "duplicate-result", "worker=%llu sequence=%llu",
               (unsigned long long)member->id, (unsigned long long)sequence);
        return false;
    }
    if (sequence != member->received + 1) {
        zn_scheduler_give_up_epoch(scheduler, member);
        return false;
    }
    member->received++;
    if (member->received - member->acknowledged >= ZN_ACKNOWLEDGE_MAX) {
        zn_scheduler_send_heartbeat(scheduler,
                                    member); /* the worker keeps results until it knows */
    }
    return true;
}

static void take_result(zn_scheduler *scheduler, zn_member *member,
                        const zn_msg_outcomes *outcomes) {
    if (is_next(scheduler, member, outcomes->sequence)) {
        zn_scheduler_outcomes(scheduler, member, outcomes);
    }
}

static void take_holding(zn_scheduler *scheduler, zn_member *member,
                         const zn_msg_holding *holding) {
    if (is_next(scheduler, member, holding->sequence)) {
        zn_scheduler_take_holding(scheduler, member, holding);
    }
}

static void take_handback(zn_scheduler *scheduler, zn_member *member,
                          const zn_msg_handback *handback) {
    if (is_next(scheduler, member, handback->sequence)) {
        zn_scheduler_take_handback(scheduler, member, handback);
    }
}

static void take_commit(zn_scheduler *scheduler, zn_member *member, const zn_msg_commit *commit) {
    const zn_live_job *job = zn_key_map_get(&scheduler->job_map, commit->job);
    zn_live_stage *stage = job != NULL ? zn_live_job_stage(job, commit->stage) : NULL;
    zn_commit_answer answer = ZN_COMMIT_REFUSE;
    if (stage != NULL) {
        answer = zn_scheduler_may_commit(scheduler, member, stage, (uint32_t)commit->task,
                                         commit->attempt);
    }
    if (answer == ZN_COMMIT_LATER) {
        return;
    }
    zn_message message = { .number = ZN_MSG_COMMITTED };
    message.committed = (zn_msg_committed){ .epoch = member->epoch,
                                            .job = commit->job,
                                            .stage = commit->stage,
                                            .task = commit->task,
                                            .attempt = commit->attempt,
                                            .granted = answer == ZN_COMMIT_GRANT ? 1 : 0 };
    zn_scheduler_tell(scheduler, member, &message);
}

static void take_done(zn_scheduler *scheduler, zn_member *member, const zn_msg_done *done) {
    if (done->scope == ZN_DONE_ALL) {
        zn_scheduler_remove_member(scheduler, member, ZN_MEMBER_EVENT_LEAVE, "left");
        return;
    }
    const zn_touched_job *touched = zn_member_touched(member, done->job);
    if (touched != NULL && touched->done) {
        zn_member_forget_job(member, done->job);
        zn_scheduler_job_released(scheduler, done->job);
    }
}

static void take_credit(zn_scheduler *scheduler, zn_member *member, const zn_msg_credit *credit) {
    take_word_of_now(scheduler, member);
    member->credit = (uint32_t)credit->tasks;
    zn_scheduler_refresh_member(scheduler, member);
}

static void take_profile(zn_scheduler *scheduler, const zn_member *member,
                         const zn_msg_profile *profile) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, profile->job);
    if (job == NULL || zn_live_job_stage(job, profile->stage) == NULL) {
        return;
    }
    if (job->profile == NULL) {
        job->profile = zn_job_profile_new();
    }
    zn_job_profile_add(job->profile, member->id, profile);
}

/* The registration that a message claims to belong to; false if workers do not send this kind. */
static bool epoch_of(const zn_message *message, uint64_t *epoch) {
    switch (message->number) {
    case ZN_MSG_RESULT:
        *epoch = message->outcomes.epoch;
        return true;
    case ZN_MSG_CREDIT:
        *epoch = message->credit.epoch;
        return true;
    case ZN_MSG_HEARTBEAT:
        *epoch = message->heartbeat.epoch;
        return true;
    case ZN_MSG_DONE:
        *epoch = message->done.epoch;
        return true;
    case ZN_MSG_COMMIT:
        *epoch = message->commit.epoch;
        return true;
    case ZN_MSG_HOLDING:
        *epoch = message->holding.epoch;
        return true;
    case ZN_MSG_HANDBACK:
        *epoch = message->handback.epoch;
        return true;
    case ZN_MSG_DRAIN:
        *epoch = message->drain.epoch;
        return true;
    case ZN_MSG_PROFILE:
        *epoch = message->profile.epoch;
        return true;
    default:
        return false;
    }
}

static void ask_to_rejoin(zn_scheduler *scheduler, const zn_peer *peer, uint64_t epoch,
                          const zn_message *message) {
    scheduler->stats.unknown_epochs++;
    if (message->number == ZN_MSG_DONE && message->done.scope == ZN_DONE_ALL) {
        return; /* it leaves anyway */
    }
    zn_message rejoin = { .number = ZN_MSG_REJOIN };
    rejoin.rejoin.epoch = epoch;
    zn_scheduler_outbox_send(&scheduler->outbox, 0, peer, &rejoin, NULL);
}

static void take_message(zn_scheduler *scheduler, zn_member *member, const zn_message *message) {
    if (member->state == ZN_MEMBER_LEAVING && message->number != ZN_MSG_DONE) {
        return;
    }
    switch (message->number) {
    case ZN_MSG_RESULT:
        take_result(scheduler, member, &message->outcomes);
        break;
    case ZN_MSG_CREDIT:
        take_credit(scheduler, member, &message->credit);
        break;
    case ZN_MSG_HEARTBEAT:
        take_heartbeat(scheduler, member, &message->heartbeat);
        break;
    case ZN_MSG_DONE:
        take_done(scheduler, member, &message->done);
        break;
    case ZN_MSG_HOLDING:
        take_holding(scheduler, member, &message->holding);
        break;
    case ZN_MSG_HANDBACK:
        take_handback(scheduler, member, &message->handback);
        break;
    case ZN_MSG_PROFILE:
        take_profile(scheduler, member, &message->profile);
        break;
    case ZN_MSG_DRAIN:
        zn_scheduler_drain(scheduler, member, zn_bytes_of_text("it was told to end"));
        break;
    default:
        take_commit(scheduler, member, &message->commit);
        break;
    }
}

void zn_scheduler_message(zn_scheduler *scheduler, uint64_t now_ns, const zn_peer *peer,
                          const zn_message *message) {
    scheduler->now_ns = now_ns;
    if (message->number == ZN_MSG_HELLO) {
        zn_scheduler_hello(scheduler, peer, &message->hello);
        return;
    }
    uint64_t epoch = 0;
    if (!epoch_of(message, &epoch)) {
        scheduler->stats.unexpected++;
        return;
    }
    zn_member *member = zn_scheduler_member(scheduler, epoch);
    if (member == NULL || !zn_peer_equal(&member->peer, peer)) {
        ask_to_rejoin(scheduler, peer, epoch, message);
        return;
    }
    member->heard_at_ns = now_ns;
    take_message(scheduler, member, message);
}

void zn_scheduler_unreachable(zn_scheduler *scheduler, uint64_t now_ns, uint64_t epoch) {
    scheduler->now_ns = now_ns;
    zn_member *member = zn_scheduler_member(scheduler, epoch);
    if (member != NULL) {
        zn_scheduler_remove_member(scheduler, member, ZN_MEMBER_EVENT_LOST, "unreachable");
    }
}

void zn_scheduler_revoked(zn_scheduler *scheduler, uint64_t now_ns, const zn_peer *peer) {
    scheduler->now_ns = now_ns;
    zn_member *member = NULL;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->epoch != 0 && zn_peer_equal(&member->peer, peer)) {
            zn_scheduler_remove_member(scheduler, member, ZN_MEMBER_EVENT_LOST, "revoked");
            return;
        }
    }
}

/* ---- time ---- */

/* Tasks whose time has come may be handed out. */
static void end_delays(zn_scheduler *scheduler) {
    zn_live_stage *stage = TAILQ_FIRST(&scheduler->delayed);
    while (stage != NULL) {
        zn_live_stage *next = TAILQ_NEXT(stage, delayed_link);
        if (zn_stage_delay_expire(&stage->delay, scheduler->now_ns)) {
            stage->first_next = 0;
            zn_scheduler_refresh_stage(scheduler, stage);
        }
        stage = next;
    }
}

void zn_scheduler_tick(zn_scheduler *scheduler, uint64_t now_ns) {
    scheduler->now_ns = now_ns;
    if (now_ns - scheduler->tick_ns > scheduler->config.lost_ms * ZN_NS_PER_MS / 2) {
        zn_scheduler_excuse_members(scheduler);
        zn_scheduler_excuse_drivers(scheduler);
    }
    scheduler->tick_ns = now_ns;
    zn_live_stage *stage = TAILQ_FIRST(&scheduler->changed);
    while (stage != NULL) {
        zn_live_stage *next = TAILQ_NEXT(stage, changed_link);
        if (now_ns - stage->event_at_ns >= ZN_EVENT_NS) {
            send_event(scheduler, stage);
        }
        stage = next;
    }
    end_delays(scheduler);
    zn_scheduler_give_backups(scheduler);
    if (now_ns - scheduler->scan_ns >= zn_scheduler_scan_interval_ns(scheduler)) {
        zn_scheduler_look_at_members(scheduler);
        zn_scheduler_look_at_drivers(scheduler);
    }
}

uint64_t zn_scheduler_deadline(const zn_scheduler *scheduler) {
    uint64_t scan = scheduler->scan_ns + zn_scheduler_scan_interval_ns(scheduler);
    uint64_t event = scheduler->tick_ns + ZN_EVENT_NS;
    uint64_t deadline = !TAILQ_EMPTY(&scheduler->changed) && event < scan ? event : scan;
    const zn_live_stage *stage;
    TAILQ_FOREACH(stage, &scheduler->delayed, delayed_link) {
        deadline = stage->delay.due_ns < deadline ? stage->delay.due_ns : deadline;
    }
    uint64_t backups = zn_scheduler_backups_due(scheduler);
    uint64_t survey = scheduler->unseen ? scheduler->survey_ns + ZN_SURVEY_NS : UINT64_MAX;
    deadline = survey < deadline ? survey : deadline;
    return backups < deadline ? backups : deadline;
}

uint64_t zn_scheduler_worker_count(const zn_scheduler *scheduler) {
    return scheduler->client_map.count;
}

uint64_t zn_scheduler_wall_ms(const zn_scheduler *scheduler, uint64_t at_ns) {
    int64_t since_ns = (int64_t)(at_ns - scheduler->began_ns);
    return scheduler->config.wall_ms + (uint64_t)(since_ns / (int64_t)ZN_NS_PER_MS);
}

void zn_scheduler_destroy(zn_scheduler **scheduler_pointer) {
    zn_scheduler *scheduler = *scheduler_pointer;
    if (scheduler == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&scheduler->members)) {
        zn_member *member = TAILQ_FIRST(&scheduler->members);
        TAILQ_REMOVE(&scheduler->members, member, link);
        zn_member_destroy(&member);
    }
    while (!TAILQ_EMPTY(&scheduler->jobs)) {
        zn_live_job *job = TAILQ_FIRST(&scheduler->jobs);
        TAILQ_REMOVE(&scheduler->jobs, job, link);
        zn_live_job_destroy(&job, scheduler->blobs);
    }
    zn_blob_store_destroy(&scheduler->blobs);
    zn_key_map_free(&scheduler->job_map);
    zn_key_map_free(&scheduler->epoch_map);
    zn_key_map_free(&scheduler->client_map);
    zn_key_map_free(&scheduler->driver_map);
    zn_scheduler_outbox_free(&scheduler->outbox);
    zn_notes_free(&scheduler->notes);
    zn_history_free(&scheduler->history);
    free(scheduler);
    *scheduler_pointer = NULL;
}
