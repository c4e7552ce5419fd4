/* SPDX-License-Identifier: MPL-2.0 */
/* What a worker and its coordinator say to each other: registration (by the table), sequences,
 * heartbeats, credit, results, commits. What is held goes on when an epoch ends (rejoin.c). Numbers
 * from the wire were bounded by the decoder; what else they must respect is checked here. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/manager_parts.h"

enum {
    RETRY_MS_MIN = 100,
    RETRY_MS_MAX = 1000,
    IDLE_MS = 50 /* without tasks for so long: the next stage is measured anew */
};

static zn_message *send_work(zn_slot_manager *m, zn_message_number number) {
    return zn_outbox_send(m->outbox, ZN_ACTION_SEND_WORK, 0, number);
}

static zn_msg_hello hello(zn_slot_manager *m) {
    return (zn_msg_hello){
        .client = m->config.client,
        .request = ++m->hello_request,
        .role = ZN_ROLE_WORKER,
        .host = zn_bytes_of_text(m->host),
        .pid = m->config.pid,
        .slots = m->config.slots,
        .data = zn_bytes_of_text(m->data),
        .folder = zn_bytes_of_text(m->folder),
        .machine = zn_bytes_of_text(m->machine),
        .epoch = m->last_epoch,
    };
}

/* After a silence that doubles each time, up to a second. */
static void arm_retry(zn_slot_manager *m) {
    m->retry_ms = m->retry_ms == 0 ? RETRY_MS_MIN : m->retry_ms * 2;
    m->retry_ms = m->retry_ms > RETRY_MS_MAX ? RETRY_MS_MAX : m->retry_ms;
    m->retry_ns = m->now_ns + m->retry_ms * ZN_NS_PER_MS;
}

static void look(zn_slot_manager *m) {
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_CONTROL, 0, ZN_MSG_HELLO);
    message->hello = hello(m);
    arm_retry(m);
}

/* Names the jobs of earlier registrations, so that their segments are removed in time. */
static void say_hello(zn_slot_manager *m) {
    zn_message *message = send_work(m, ZN_MSG_HELLO);
    message->hello = hello(m);
    zn_jobs_name(m, &message->hello);
    arm_retry(m);
}

static void leave(zn_slot_manager *m) {
    if (m->epoch != 0) {
        zn_link_flush(m);
        send_work(m, ZN_MSG_DONE)->done = (zn_msg_done){ .epoch = m->epoch, .scope = ZN_DONE_ALL };
    }
    zn_slots_leave(m);
}

static void react(zn_slot_manager *m, zn_registration_reaction reaction, const zonda_error *error) {
    switch (reaction) {
    case ZN_REACT_LOOK:
        zn_rejoin_lose_epoch(m);
        look(m);
        break;
    case ZN_REACT_JOIN:
        zn_rejoin_lose_epoch(m);
        say_hello(m);
        break;
    case ZN_REACT_ADOPT:
        zn_rejoin_lose_epoch(m);
        m->retry_ms = 0;
        m->pace = (zn_pace){ 0 };
        break;
    case ZN_REACT_FAIL:
        m->reason = *error;
        leave(m);
        break;
    case ZN_REACT_LEAVE:
        leave(m);
        break;
    case ZN_REACT_END:
        zn_outbox_add(m->outbox, ZN_ACTION_END)->code = m->reason.code;
        break;
    case ZN_REACT_ACCEPT:
    case ZN_REACT_IGNORE:
        break;
    }
}

void zn_link_register(zn_slot_manager *m, zn_registration_event event, const zonda_error *error) {
    zn_registration_cell cell = zn_registration_step(m->state, event);
    if (cell.next != m->state) {
        zn_log(ZONDA_LOG_INFO, "worker-registration", "from=%s to=%s epoch=%" PRIu64,
               zn_registration_state_name(m->state), zn_registration_state_name(cell.next),
               m->epoch);
        m->since_ns = m->now_ns;
        if (cell.next == ZN_REGISTRATION_JOINING) {
            m->retry_ms = 0;
        }
    }
    m->state = cell.next;
    react(m, cell.reaction, error);
}

static uint32_t or_default(uint64_t milliseconds, uint32_t usual) {
    return milliseconds == 0 ? usual : (uint32_t)milliseconds;
}

/* Work of one cluster means nothing in another. */
static void check_cluster(zn_slot_manager *m, uint64_t cluster) {
    if (m->cluster != 0 && m->cluster != cluster) {
        zn_rejoin_drop_everything(m);
    }
    m->cluster = cluster;
}

void zn_link_found(zn_slot_manager *m, uint64_t cluster) {
    if (m->state == ZN_REGISTRATION_LOOKING) {
        check_cluster(m, cluster);
    }
    zn_link_register(m, ZN_REGISTRATION_FOUND, NULL);
}

/* A WELCOME that comes again must not begin an epoch anew, or what was sent in it would count
 * twice. Epochs of a cluster go up. */
static bool is_new(const zn_slot_manager *m, const zn_msg_welcome *welcome) {
    return welcome->cluster != m->cluster || welcome->epoch > m->last_epoch;
}

static void take_welcome(zn_slot_manager *m, const zn_msg_welcome *welcome) {
    if (welcome->epoch == 0 || !is_new(m, welcome)) {
        return;
    }
    zn_link_register(m, ZN_REGISTRATION_WELCOMED, NULL);
    if (m->state != ZN_REGISTRATION_REGISTERED) {
        return;
    }
    check_cluster(m, welcome->cluster);
    m->epoch = welcome->epoch;
    m->last_epoch = welcome->epoch;
    m->heartbeat_ms = or_default(welcome->heartbeat_ms, ZN_HEARTBEAT_MS);
    m->lost_ms = or_default(welcome->lost_ms, ZN_WORKER_LOST_MS);
    m->beat_ns = m->now_ns;
    zn_rejoin_tell(m);
    m->drain_told = false;
    zn_drain_remind(m);
}

/* Sets `*tasks` to their number; false if the runs are not good ones, or too many. */
static bool check_runs(const zn_slot_manager *m, const zn_msg_task *task) {
    uint64_t tasks = 0;
    for (size_t i = 0; i < task->runs_count; i++) {
        const zn_run *run = &task->runs[i];
        if (run->count == 0 || run->attempt == 0 || run->first + run->count > ZN_STAGE_TASKS_MAX) {
            return false;
        }
        tasks += run->count;
    }
    return task->body.len == ZN_DIGEST_BYTES && m->held + tasks <= ZN_CREDIT_TASKS_MAX;
}

static void take_task(zn_slot_manager *m, const zn_msg_task *task) {
    if (task->sequence <= m->received) {
        return;
    }
    if (task->sequence != m->received + 1 || !check_runs(m, task)) {
        zn_log(ZONDA_LOG_WARN, "worker-gap", "expected=%" PRIu64 " got=%" PRIu64 " held=%" PRIu64,
               m->received + 1, task->sequence, m->held);
        zn_link_register(m, ZN_REGISTRATION_GAP, NULL);
        return;
    }
    m->received = task->sequence;
    if (task->runs_count == 0) {
        return;
    }
    zn_held_stage *stage = zn_jobs_stage(m, task->job, (uint32_t)task->stage, task->body);
    stage->hang_ms = task->hang_ms;
    for (size_t i = 0; i < task->runs_count; i++) {
        m->held += task->runs[i].count;
        m->totals.received += task->runs[i].count;
        zn_jobs_queue(m, stage, task->runs[i], false);
    }
}

/* One heartbeat of grace: what was announced by the one before must have come by now. */
static void take_heartbeat(zn_slot_manager *m, const zn_msg_heartbeat *heartbeat) {
    if (m->received < m->announced) {
        zn_log(ZONDA_LOG_WARN, "worker-gap", "received=%" PRIu64 " announced=%" PRIu64, m->received,
               m->announced);
        zn_link_register(m, ZN_REGISTRATION_GAP, NULL);
        return;
    }
    m->announced = heartbeat->sent;
    zn_unacknowledged_forget(&m->unacknowledged, heartbeat->received);
}

static void take_committed(zn_slot_manager *m, const zn_msg_committed *committed) {
    for (uint32_t index = 0; index < m->config.slots; index++) {
        zn_slot_entry *slot = &m->slots[index];
        const zn_attempt_id *id = &slot->commit;
        if (slot->committing && id->job.value == committed->job &&
            id->stage.value == committed->stage && id->task == committed->task &&
            id->attempt == committed->attempt) {
            slot->committing = false;
            zn_outbox_send(m->outbox, ZN_ACTION_SEND_SLOT, index, ZN_MSG_COMMITTED)->committed =
                *committed;
        }
    }
}

static void take_cancel(zn_slot_manager *m, uint64_t id) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        if (job->id == id) {
            zn_jobs_cancel(m, job);
        }
    }
}

static void take_refusal(zn_slot_manager *m, const zn_msg_refusal *refusal) {
    zonda_error error = { 0 };
    if (refusal->failure_count > 0) {
        zn_failure_to_error(&refusal->failure[0], &error);
    }
    if (error.code == ZONDA_ERR_VERSION || error.code == ZONDA_ERR_KEYS) {
        zn_link_register(m, ZN_REGISTRATION_REFUSED, &error);
    } else {
        zn_log(ZONDA_LOG_WARN, "worker-refusal", "text=%s", error.text);
    }
}

/* The epoch that a message carries; 0 for those that are not of an epoch. */
static uint64_t epoch_of(const zn_message *message) {
    switch (message->number) {
    case ZN_MSG_TASK:
        return message->task.epoch;
    case ZN_MSG_HEARTBEAT:
        return message->heartbeat.epoch;
    case ZN_MSG_DONE:
        return message->done.epoch;
    case ZN_MSG_CANCEL:
        return message->cancel.epoch;
    case ZN_MSG_COMMITTED:
        return message->committed.epoch;
    case ZN_MSG_WITHDRAW:
        return message->withdraw.epoch;
    case ZN_MSG_REJOIN:
        return message->rejoin.epoch;
    case ZN_MSG_DRAIN:
        return message->drain.epoch;
    default:
        return 0;
    }
}

static void take_current(zn_slot_manager *m, const zn_message *message) {
    switch (message->number) {
    case ZN_MSG_TASK:
        take_task(m, &message->task);
        break;
    case ZN_MSG_HEARTBEAT:
        take_heartbeat(m, &message->heartbeat);
        break;
    case ZN_MSG_CANCEL:
        take_cancel(m, message->cancel.job);
        break;
    case ZN_MSG_WITHDRAW:
        zn_jobs_withdraw(m, &message->withdraw);
        break;
    case ZN_MSG_COMMITTED:
        take_committed(m, &message->committed);
        break;
    case ZN_MSG_DONE:
        zn_jobs_done(m, message->done.job);
        break;
    case ZN_MSG_DRAIN:
        zn_drain_told(m);
        break;
    default:
        break;
    }
}

void zn_link_message(zn_slot_manager *m, const zn_message *message) {
    if (message->number == ZN_MSG_WELCOME) {
        m->heard_ns = m->now_ns;
        take_welcome(m, &message->welcome);
        return;
    }
    if (message->number == ZN_MSG_REFUSAL) {
        take_refusal(m, &message->refusal);
        return;
    }
    uint64_t epoch = epoch_of(message);
    if (epoch == 0 || epoch != m->epoch) {
        return;
    }
    m->heard_ns = m->now_ns;
    if (message->number == ZN_MSG_REJOIN) {
        zn_link_register(m, ZN_REGISTRATION_REJOIN, NULL);
    } else if (message->number == ZN_MSG_DONE && message->done.scope != ZN_DONE_JOB) {
        zn_link_register(m, ZN_REGISTRATION_DONE_ALL, NULL);
    } else if (zn_registration_step(m->state, ZN_REGISTRATION_CURRENT).reaction ==
               ZN_REACT_ACCEPT) {
        take_current(m, message);
    }
}

/* Everything that is not numbered is said again with the next heartbeat. Not at once: a socket that
 * takes nothing would be offered it for ever. */
void zn_link_unsent(zn_slot_manager *m, const zn_message *message) {
    bool numbered = message->number == ZN_MSG_RESULT || message->number == ZN_MSG_HOLDING ||
                    message->number == ZN_MSG_HANDBACK;
    if (numbered && message->outcomes.epoch == m->epoch) { /* the first field of all of them */
        zn_link_register(m, ZN_REGISTRATION_GAP, NULL);
    }
}

static void beat(zn_slot_manager *m) {
    m->beat_ns = m->now_ns;
    send_work(m, ZN_MSG_HEARTBEAT)->heartbeat =
        (zn_msg_heartbeat){ .epoch = m->epoch, .sent = m->sent, .received = m->received };
    for (uint32_t index = 0; index < m->config.slots; index++) {
        if (m->slots[index].committing) {
            zn_link_commit(m, &m->slots[index]);
        }
    }
    zn_drain_remind(m);
    /* A credit that was lost would otherwise be missed for ever. */
    m->credit = 0;
}

/* Who was not running itself (a stopped process, a sleeping or overloaded machine) cannot say that
 * the other was silent. */
static void excuse_silence(zn_slot_manager *m) {
    if (m->now_ns - m->tick_ns > m->lost_ms * ZN_NS_PER_MS / 2) {
        m->heard_ns = m->now_ns;
    }
    m->tick_ns = m->now_ns;
}

void zn_link_tick(zn_slot_manager *m) {
    excuse_silence(m);
    if (m->state == ZN_REGISTRATION_LOOKING && m->now_ns >= m->retry_ns) {
        zn_link_register(m, ZN_REGISTRATION_SILENCE, NULL);
    } else if (m->state == ZN_REGISTRATION_JOINING) {
        if (m->now_ns - m->since_ns >= m->lost_ms * ZN_NS_PER_MS) {
            zn_link_register(m, ZN_REGISTRATION_SILENCE, NULL);
        } else if (m->now_ns >= m->retry_ns) {
            say_hello(m);
        }
    } else if (m->state == ZN_REGISTRATION_REGISTERED) {
        if (m->now_ns - m->heard_ns >= m->lost_ms * ZN_NS_PER_MS) {
            zn_log(ZONDA_LOG_WARN, "worker-silence", "epoch=%" PRIu64, m->epoch);
            zn_link_register(m, ZN_REGISTRATION_SILENCE, NULL);
        } else if (m->now_ns - m->beat_ns >= m->heartbeat_ms * ZN_NS_PER_MS) {
            beat(m);
        }
    }
}

void zn_link_send_result(zn_slot_manager *m, zn_kept_result *result) {
    result->sequence = ++m->sent;
    send_work(m, ZN_MSG_RESULT)->outcomes =
        (zn_msg_outcomes){ .epoch = m->epoch,
                           .sequence = result->sequence,
                           .job = result->job,
                           .stage = result->stage,
                           .outcomes = result->batch.items,
                           .outcomes_count = result->batch.count,
                           .spent_us = result->spent_us };
}

/* Without an epoch it is kept until there is one. */
static void close_batch(zn_slot_manager *m) {
    zn_kept_result *result =
        zn_unacknowledged_add(&m->unacknowledged, m->batch_job, m->batch_stage, &m->batch);
    result->spent_us = m->batch_spent_us;
    m->batch_spent_us = 0;
    if (m->epoch != 0) {
        zn_link_send_result(m, result);
    }
}

/* What is collected is of one stage. */
static void collect_of(zn_slot_manager *m, const zn_held_stage *stage) {
    bool other = m->batch_job != stage->job->id || m->batch_stage != stage->id;
    if (other && m->batch.count > 0) {
        close_batch(m);
    }
    if (other) {
        m->batch_spent_us = 0;
    }
    m->batch_job = stage->job->id;
    m->batch_stage = stage->id;
}

void zn_link_spent(zn_slot_manager *m, const zn_held_stage *stage, uint64_t spent_us) {
    collect_of(m, stage);
    m->batch_spent_us += spent_us;
}

void zn_link_report(zn_slot_manager *m, const zn_held_stage *stage, const zn_outcome *outcome) {
    collect_of(m, stage);
    zn_outcome_batch_add(&m->batch, outcome);
    if (zn_outcome_batch_is_full(&m->batch)) {
        close_batch(m);
    }
}

void zn_link_flush(zn_slot_manager *m) {
    if (m->batch.count > 0 && m->epoch != 0) {
        close_batch(m);
    }
}

void zn_link_commit(zn_slot_manager *m, const zn_slot_entry *slot) {
    if (m->epoch == 0) {
        return;
    }
    const zn_attempt_id *id = &slot->commit;
    send_work(m, ZN_MSG_COMMIT)->commit = (zn_msg_commit){ .epoch = m->epoch,
                                                           .job = id->job.value,
                                                           .stage = id->stage.value,
                                                           .task = id->task,
                                                           .attempt = id->attempt };
}

/* `size` bytes that live as long as the outbox. */
static void *keep(zn_slot_manager *m, const void *bytes, size_t size) {
    return size == 0 ? NULL : memcpy(zn_arena_take(&m->outbox->arena, size), bytes, size);
}

void zn_link_profile(zn_slot_manager *m, uint32_t slot, const zn_msg_profile *profile) {
    if (m->epoch == 0) {
        return;
    }
    zn_message *message = send_work(m, ZN_MSG_PROFILE);
    message->profile = *profile;
    message->profile.epoch = m->epoch;
    message->profile.slot = slot;
    message->profile.times = keep(m, profile->times, profile->times_count * sizeof *profile->times);
    message->profile.spans = keep(m, profile->spans, profile->spans_count * sizeof *profile->spans);
}

void zn_link_done(zn_slot_manager *m, uint64_t job) {
    if (m->epoch != 0) {
        send_work(m, ZN_MSG_DONE)->done =
            (zn_msg_done){ .epoch = m->epoch, .scope = ZN_DONE_JOB, .job = job };
    }
}

/* A change of less than a quarter is not worth a message. */
void zn_link_credit(zn_slot_manager *m) {
    if (m->state != ZN_REGISTRATION_REGISTERED) {
        return;
    }
    if (m->held > 0) {
        m->idle_ns = 0;
    } else if (m->idle_ns == 0) {
        m->idle_ns = m->now_ns;
    } else if (m->now_ns - m->idle_ns >= IDLE_MS * ZN_NS_PER_MS) {
        m->pace = (zn_pace){ 0 };
    }
    uint32_t wanted = zn_pace_credit(&m->pace, m->config.slots);
    uint32_t change = wanted > m->credit ? wanted - m->credit : m->credit - wanted;
    if (m->credit != 0 && change * 4 < m->credit) {
        return;
    }
    m->credit = wanted;
    send_work(m, ZN_MSG_CREDIT)->credit = (zn_msg_credit){ .epoch = m->epoch, .tasks = wanted };
}
