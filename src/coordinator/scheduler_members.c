/* SPDX-License-Identifier: MPL-2.0 */
/* Workers join, are lost, leave, and register again. When a worker is lost or leaves, the tasks
 * that it held go back to their stages one attempt higher, and jobs stop waiting for its DONE. Only
 * a loss counts against the tasks (class infrastructure); leaving is nobody's fault. A worker that
 * registers again, or is asked to, goes on with its tasks: see scheduler_rejoin.c. Results belong
 * to the worker, not to the epoch: they are lost when it is lost or leaves, or registers as one
 * that has kept nothing. */
#include "coordinator/scheduler_internal.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "coordinator/lineage.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/stage_attempts.h"

/* Takes back what the worker held of one stage. */
static void give_back_holding(zn_scheduler *scheduler, zn_member *member, zn_holding *holding,
                              bool blame) {
    zn_live_stage *stage = holding->stage;
    zn_task_run run;
    scheduler->running -= holding->tasks.task_count;
    while (zn_task_set_pop(&holding->tasks, UINT32_MAX, &run)) {
        if (stage->state != ZN_STAGE_RUNNING) {
            stage->running -= run.count;
            continue;
        }
        run.value = zn_held_attempt(run.value);
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_WORKER_LOST, "the worker on %s was lost", member->host);
        error.worker = member->id;
        if (!blame) {
            zn_live_stage_uncount_try(stage, run);
        }
        zn_scheduler_give_back(scheduler, stage, run, true, blame ? &error : NULL);
        if (blame) {
            zn_scheduler_attempt_failed(scheduler, stage, run, &error);
        }
    }
    zn_task_set_free(&holding->tasks);
    zn_scheduler_refresh_stage(scheduler, stage);
    if (stage->state == ZN_STAGE_RUNNING) {
        zn_scheduler_stage_changed(scheduler, stage);
    }
}

/* Detached one by one: a task that has used up its attempts ends its job, which walks all holdings.
 */
static void give_up_holdings(zn_scheduler *scheduler, zn_member *member, bool blame) {
    while (member->holding_count > 0) {
        zn_holding holding = member->holdings[--member->holding_count];
        member->held -= (uint32_t)holding.tasks.task_count;
        give_back_holding(scheduler, member, &holding, blame);
    }
}

void zn_scheduler_give_up_recalled(zn_scheduler *scheduler, zn_member *member) {
    for (size_t i = 0; i < member->holding_count;) {
        zn_holding holding = member->holdings[i];
        if (!holding.recalled) {
            i++;
            continue;
        }
        member->holdings[i] = member->holdings[--member->holding_count];
        member->held -= (uint32_t)holding.tasks.task_count;
        give_back_holding(scheduler, member, &holding, false);
    }
}

void zn_scheduler_recall(zn_scheduler *scheduler, zn_member *member) {
    if (member->epoch != 0) {
        zn_key_map_remove(&scheduler->epoch_map, member->epoch);
    }
    member->epoch = 0;
    member->credit = 0;
    zn_scheduler_forget_backups(scheduler, member);
    zn_member_recall(member);
    zn_scheduler_refresh_member(scheduler, member);
}

/* Takes back all that it holds, and waits for it no more. */
static void end_epoch(zn_scheduler *scheduler, zn_member *member, bool blame) {
    zn_scheduler_recall(scheduler, member);
    give_up_holdings(scheduler, member, blame);
    while (member->touched_count > 0) {
        zn_touched_job touched = member->touched[--member->touched_count];
        if (touched.done) {
            zn_scheduler_job_released(scheduler, touched.job);
        }
    }
    zn_scheduler_refresh_member(scheduler, member);
}

static zonda_err check_hello(const zn_scheduler *scheduler, const zn_msg_hello *hello,
                             zonda_error *error) {
    if (hello->role != ZN_ROLE_WORKER || hello->client == 0) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "HELLO on the work socket needs role worker and a client id");
    }
    bool known = zn_key_map_get(&scheduler->client_map, hello->client) != NULL;
    if (!known && zn_scheduler_worker_count(scheduler) >= ZN_WORKERS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "the cluster has %d workers, the most it takes",
                            ZN_WORKERS_MAX);
    }
    return ZONDA_OK;
}

static void send_welcome(zn_scheduler *scheduler, const zn_member *member) {
    zn_message message = { .number = ZN_MSG_WELCOME };
    message.welcome = (zn_msg_welcome){ .worker = member->id,
                                        .epoch = member->epoch,
                                        .cluster = scheduler->config.cluster,
                                        .heartbeat_ms = scheduler->config.heartbeat_ms,
                                        .lost_ms = scheduler->config.lost_ms };
    zn_scheduler_tell(scheduler, member, &message);
}

void zn_scheduler_has_job(zn_scheduler *scheduler, zn_member *member, uint64_t id) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, id);
    if (member->touched_count >= ZN_MEMBER_JOBS_MAX) {
        return;
    }
    zn_member_touch(member, id);
    zn_touched_job *touched = zn_member_touched(member, id);
    bool is_over = job == NULL || job->state == ZN_JOB_CLOSING;
    if (is_over && !touched->done) {
        touched->done = true;
        if (job != NULL) {
            job->waiting++;
        }
        zn_scheduler_tell_done(scheduler, member, id);
    }
}

void zn_scheduler_member_back(zn_scheduler *scheduler, zn_member *member) {
    if (!member->restored) {
        return;
    }
    member->restored = false;
    if (--scheduler->restored == 0) {
        zn_scheduler_forget_released(scheduler);
    }
}

void zn_scheduler_hello(zn_scheduler *scheduler, const zn_peer *peer, const zn_msg_hello *hello) {
    if (scheduler->stopping) {
        return;
    }
    zonda_error error;
    if (check_hello(scheduler, hello, &error) != ZONDA_OK) {
        zn_scheduler_outbox_refuse(&scheduler->outbox, peer, hello->request, &error);
        return;
    }
    zn_member *member = zn_key_map_get(&scheduler->client_map, hello->client);
    if (member == NULL) {
        member = zn_member_new(scheduler->next_worker++, hello->client);
        zn_key_map_put(&scheduler->client_map, hello->client, member);
        TAILQ_INSERT_TAIL(&scheduler->members, member, link);
    }
    if (hello->epoch == 0) {
        end_epoch(scheduler, member, false);
        zn_lineage_lose_holder(scheduler, member->client);
    }
    zn_scheduler_recall(scheduler, member);
    zonda_err refused = zn_member_apply(member, ZN_MEMBER_EVENT_HELLO, &error);
    ZN_ASSERT(refused == ZONDA_OK); /* a member that has gone is not in the map */
    zn_member_begin(member, hello, peer, scheduler->next_epoch++, scheduler->now_ns);
    zn_key_map_put(&scheduler->epoch_map, member->epoch, member);
    zn_note_worker(scheduler, member);
    zn_scheduler_refresh_member(scheduler, member);
    send_welcome(scheduler, member);
    zn_scheduler_drain_again(scheduler, member);
    for (size_t i = 0; i < hello->jobs_count; i++) {
        zn_scheduler_has_job(scheduler, member, hello->jobs[i].job);
    }
    zn_log(ZONDA_LOG_INFO, "worker-joined", "worker=%llu epoch=%llu host=%s pid=%llu slots=%u",
           (unsigned long long)member->id, (unsigned long long)member->epoch, member->host,
           (unsigned long long)member->pid, member->slots);
}

void zn_scheduler_give_up_epoch(zn_scheduler *scheduler, zn_member *member) {
    scheduler->stats.gaps++;
    zn_log(ZONDA_LOG_WARN, "epoch-given-up", "worker=%llu epoch=%llu received=%llu reason=gap",
           (unsigned long long)member->id, (unsigned long long)member->epoch,
           (unsigned long long)member->received);
    zonda_error error;
    if (zn_member_apply(member, ZN_MEMBER_EVENT_GAP, &error) != ZONDA_OK) {
        return;
    }
    zn_message message = { .number = ZN_MSG_REJOIN };
    message.rejoin.epoch = member->epoch;
    zn_scheduler_outbox_send(&scheduler->outbox, 0, &member->peer, &message, NULL);
    zn_scheduler_recall(scheduler, member);
}

void zn_scheduler_remove_member(zn_scheduler *scheduler, zn_member *member, zn_member_event event,
                                const char *reason) {
    bool lost = event == ZN_MEMBER_EVENT_LOST;
    unsigned held = member->held;
    unsigned long long epoch = member->epoch;
    zonda_error error;
    if (zn_member_apply(member, event, &error) != ZONDA_OK) {
        return;
    }
    end_epoch(scheduler, member, lost);
    zn_scheduler_member_back(scheduler, member);
    zn_lineage_lose_holder(scheduler, member->client);
    zn_log(lost ? ZONDA_LOG_WARN : ZONDA_LOG_INFO, lost ? "worker-lost" : "worker-left",
           "worker=%llu epoch=%llu host=%s reason=%s tasks_given_back=%u",
           (unsigned long long)member->id, epoch, member->host, reason, held);
    zn_note_worker_gone(scheduler, member);
    zn_key_map_remove(&scheduler->client_map, member->client);
    TAILQ_REMOVE(&scheduler->members, member, link);
    zn_member_destroy(&member);
}

void zn_scheduler_stop(zn_scheduler *scheduler, uint64_t now_ns) {
    scheduler->now_ns = now_ns;
    scheduler->stopping = true;
    zn_member *member = TAILQ_FIRST(&scheduler->members);
    while (member != NULL) {
        zn_member *next = TAILQ_NEXT(member, link);
        if (member->state == ZN_MEMBER_ASKED) {
            zn_scheduler_remove_member(scheduler, member, ZN_MEMBER_EVENT_STOP, "stop");
        } else if (zn_member_apply(member, ZN_MEMBER_EVENT_STOP, NULL) == ZONDA_OK) {
            zn_message message = { .number = ZN_MSG_DONE };
            message.done = (zn_msg_done){ .epoch = member->epoch, .scope = ZN_DONE_ALL };
            zn_scheduler_tell(scheduler, member, &message);
            zn_scheduler_refresh_member(scheduler, member);
        }
        member = next;
    }
}
