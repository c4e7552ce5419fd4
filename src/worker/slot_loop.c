/* SPDX-License-Identifier: MPL-2.0 */
/* A slot's life: HELLO, then chunks and DONEs in the order in which they came. Outcomes travel when
 * the batch is full, when the chunk ends, or when the oldest is 5 ms old (looked at between tasks
 * and, now and then, when the running task asks whether it is cancelled). A chunk of which some
 * tasks have no outcome ends with a HEARTBEAT that names it, so that the worker need not guess.
 * Before each task its place goes on the board; should the slot die in it, the worker knows. */
#include "worker/slot_loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/slot_profile.h"
#include "worker/slot_state.h"

static const uint64_t FLUSH_NS = 5 * ZN_NS_PER_MS;

enum {
    IDLE_MS = 1000, /* between looks at `stopping` where no file descriptor tells */
    ASKED_MAX = 64  /* calls of `cancelled` between looks at the clock */
};

zn_slot_loop *zn_slot_loop_new(const zn_slot_loop_options *options, zonda_error *error) {
    zn_keys keys = { 0 };
    if (options->keys != NULL && zn_keys_load_client(options->keys, &keys, error) != ZONDA_OK) {
        return NULL;
    }
    zn_channel *channel = zn_channel_connect(ZN_CHANNEL_DEALER, options->endpoint, error);
    if (channel == NULL) {
        return NULL;
    }
    zn_slot_loop *loop = ZN_NEW(zn_slot_loop);
    loop->options = *options;
    loop->memory.limit = options->memory_bytes > 0 ? options->memory_bytes : UINT64_MAX;
    loop->channel = channel;
    loop->waiting.moves = &options->board->moves;
    loop->keys = keys;
    zn_machine_id(loop->machine);
    return loop;
}

static void free_stage(zn_slot_stage *stage) {
    zn_stage_exec_destroy(&stage->exec);
    free(stage);
}

void zn_slot_loop_destroy(zn_slot_loop **loop) {
    if (loop == NULL || *loop == NULL) {
        return;
    }
    zn_slot_loop *self = *loop;
    while (self->stages != NULL) {
        zn_slot_stage *stage = self->stages;
        self->stages = stage->next;
        free_stage(stage);
    }
    zn_slot_host_free(self);
    zn_slot_inbox_free(self);
    zn_slot_profile_destroy(&self->profile);
    zn_outcome_batch_free(&self->batch);
    zn_channel_destroy(&self->channel);
    zn_keys_wipe(&self->keys);
    free(self->folder);
    free(self);
    *loop = NULL;
}

void zn_slot_loop_send(zn_slot_loop *loop, const zn_message *message) {
    zonda_error error = { 0 };
    if (zn_channel_send(loop->channel, NULL, message, &error) != ZONDA_OK) {
        zn_log(ZONDA_LOG_WARN, "slot-unsent", "slot=%u text=%s", loop->options.index, error.text);
    }
}

static bool receive_now(zn_slot_loop *loop, zn_message *message) {
    zonda_error error = { 0 };
    bool got = false;
    zonda_err code = zn_channel_recv(loop->channel, NULL, message, &got, &error);
    if (code != ZONDA_OK) {
        zn_log(ZONDA_LOG_WARN, "slot-bad-message", "slot=%u text=%s", loop->options.index,
               error.text);
        return false;
    }
    return got;
}

bool zn_slot_loop_receive(zn_slot_loop *loop, int timeout_ms, zn_message *message) {
    if (receive_now(loop, message)) {
        return true;
    }
    zn_poll_item items[2] = {
        { .kind = ZN_POLL_CHANNEL, .channel = loop->channel },
        { .kind = ZN_POLL_FD, .fd = loop->options.stop_fd },
    };
    zn_poll(items, loop->options.stop_fd >= 0 ? 2 : 1, timeout_ms);
    return items[0].ready && receive_now(loop, message);
}

void zn_slot_loop_flush(zn_slot_loop *loop) {
    if (loop->batch.count == 0) {
        return;
    }
    zn_slot_profile_send(loop->profile);
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .epoch = loop->epoch,
                                          .sequence = loop->sequence,
                                          .job = loop->job,
                                          .stage = loop->stage,
                                          .outcomes = loop->batch.items,
                                          .outcomes_count = loop->batch.count,
                                          .spent_us = loop->spent_ns / 1000 };
    loop->spent_ns = 0;
    zn_slot_loop_send(loop, &message);
    zn_outcome_batch_reset(&loop->batch);
}

static void flush_if_old(zn_slot_loop *loop, uint64_t now_ns) {
    if (loop->batch.count > 0 && now_ns - loop->batch_since_ns >= FLUSH_NS) {
        zn_slot_loop_flush(loop);
    }
}

static bool is_stopping(zn_slot_loop *loop) {
    return loop->ended || loop->options.stopping(loop->options.context);
}

bool zn_slot_loop_cancelled(zn_slot_loop *loop) {
    if (loop->batch.count > 0 && ++loop->asked >= ASKED_MAX) {
        loop->asked = 0;
        flush_if_old(loop, zn_clock_ns());
    }
    return zn_slot_board_is_cancelled(loop->options.board, loop->sequence) || is_stopping(loop);
}

static void add_outcome(zn_slot_loop *loop, const zn_outcome *outcome) {
    uint64_t now_ns = zn_clock_ns();
    if (loop->batch.count == 0) {
        loop->batch_since_ns = now_ns;
    }
    loop->spent_ns += now_ns - loop->task_since_ns;
    loop->task_since_ns = now_ns;
    zn_outcome_batch_add(&loop->batch, outcome);
    if (zn_outcome_batch_is_full(&loop->batch)) {
        zn_slot_loop_flush(loop);
    } else {
        flush_if_old(loop, now_ns);
    }
}

/* Compiles; a stage that does not compile is kept with its failure, unless it was cancelled. */
static zn_slot_stage *compile(zn_slot_loop *loop, const zn_slot_order *order) {
    zn_slot_stage *stage = ZN_NEW(zn_slot_stage);
    stage->loop = loop;
    stage->job = order->task.job;
    stage->stage = order->task.stage;
    snprintf(stage->owner, sizeof stage->owner, "slot%u-%ld-%" PRIu64, loop->options.index,
             (long)getpid(), ++loop->stage_serial);
    zn_slot_host_init(stage);
    zn_digest digest;
    memcpy(digest.bytes, order->body, sizeof digest.bytes);
    zn_bytes body;
    zonda_err code = zn_slot_host_blob(loop, stage->job, digest, &body, &stage->failure);
    if (code == ZONDA_OK) {
        stage->exec =
            zn_stage_exec_new((zn_job_id){ stage->job }, body, &stage->host, &stage->failure);
    }
    if (stage->exec == NULL && stage->failure.code == ZONDA_ERR_CANCELLED) {
        free_stage(stage);
        return NULL;
    }
    stage->next = loop->stages;
    loop->stages = stage;
    return stage;
}

/* NULL: the attempt was cancelled while its stage was fetched. */
static zn_slot_stage *find_stage(zn_slot_loop *loop, const zn_slot_order *order) {
    for (zn_slot_stage *stage = loop->stages; stage != NULL; stage = stage->next) {
        if (stage->job == order->task.job && stage->stage == order->task.stage) {
            return stage;
        }
    }
    return compile(loop, order);
}

/* The same failure for each task: trying again cannot make the stage compile. */
static void fail_task(zn_slot_loop *loop, zn_slot_stage *stage, uint64_t task, uint64_t attempt) {
    zonda_error error = stage->failure;
    error.permanent = true;
    error.has_shard = true;
    error.shard = task;
    error.attempt = (uint32_t)attempt;
    zn_failure failure;
    zn_failure_from_error(&error, &failure);
    zn_outcome outcome = {
        .first = task, .count = 1, .attempt = attempt, .failure = &failure, .failure_count = 1
    };
    add_outcome(loop, &outcome);
}

/* Whether the task has an outcome. */
static bool run_task(zn_slot_loop *loop, zn_slot_stage *stage, uint64_t task, uint64_t attempt) {
    if (stage->exec == NULL) {
        fail_task(loop, stage, task, attempt);
        return true;
    }
    zn_outcome outcome = { 0 };
    bool reported = zn_slot_profile_run(loop, stage, task, (uint32_t)attempt, &outcome);
    if (reported) {
        add_outcome(loop, &outcome);
    }
    return reported;
}

/* Whether every task of the chunk has an outcome. */
static bool run_tasks(zn_slot_loop *loop, const zn_slot_order *order) {
    bool whole = true;
    uint32_t position = 0;
    for (size_t i = 0; i < order->task.runs_count; i++) {
        const zn_run *run = &order->task.runs[i];
        for (uint64_t k = 0; k < run->count; k++) {
            position += 1;
            if (zn_slot_loop_cancelled(loop)) {
                return false;
            }
            zn_slot_board_enter(loop->options.board, loop->sequence, position);
            zn_slot_stage *stage = find_stage(loop, order);
            bool reported = stage != NULL && run_task(loop, stage, run->first + k, run->attempt);
            zn_slot_board_enter(loop->options.board, loop->sequence, 0);
            whole = whole && reported;
        }
    }
    return whole;
}

static void sweep(zn_slot_loop *loop, const zn_slot_order *order) {
    zn_slot_stage *stage = find_stage(loop, order);
    for (size_t i = 0; stage != NULL && stage->exec != NULL && i < order->task.runs_count; i++) {
        const zn_run *run = &order->task.runs[i];
        zn_stage_exec_sweep(stage->exec, run->first, (uint32_t)run->attempt);
    }
}

/* Attempts of the stage were ended: if its job ends now, others may have left something. */
static void mark_interrupted(zn_slot_loop *loop, const zn_slot_order *order) {
    for (zn_slot_stage *stage = loop->stages; stage != NULL; stage = stage->next) {
        if (stage->job == order->task.job && stage->stage == order->task.stage) {
            stage->interrupted = true;
        }
    }
}

static void run_chunk(zn_slot_loop *loop, const zn_slot_order *order) {
    loop->epoch = order->task.epoch;
    loop->sequence = order->task.sequence;
    loop->job = order->task.job;
    loop->stage = order->task.stage;
    loop->task_since_ns = zn_clock_ns();
    loop->spent_ns = 0;
    bool whole = false;
    if (order->task.epoch == 0) {
        sweep(loop, order);
    } else {
        whole = run_tasks(loop, order);
    }
    zn_slot_loop_flush(loop);
    if (!whole) {
        zn_slot_profile_send(loop->profile);
        mark_interrupted(loop, order);
        zn_message message = { .number = ZN_MSG_HEARTBEAT };
        message.heartbeat.received = loop->sequence;
        zn_slot_loop_send(loop, &message);
    }
    zn_slot_profile_rest(loop->profile);
}

static void forget_job(zn_slot_loop *loop, uint64_t job) {
    zn_slot_stage **at = &loop->stages;
    while (*at != NULL) {
        zn_slot_stage *stage = *at;
        if (stage->job == job) {
            *at = stage->next;
            if (stage->interrupted && stage->exec != NULL) {
                zn_stage_exec_clear(stage->exec);
            }
            free_stage(stage);
        } else {
            at = &stage->next;
        }
    }
    zn_slot_host_forget(loop, job);
}

static void obey(zn_slot_loop *loop, const zn_slot_order *order) {
    if (order->number == ZN_MSG_TASK) {
        run_chunk(loop, order);
        return;
    }
    if (order->done.scope == ZN_DONE_JOB) {
        forget_job(loop, order->done.job);
    } else {
        loop->ended = true;
    }
    zn_message message = { .number = ZN_MSG_DONE, .done = order->done };
    zn_slot_loop_send(loop, &message);
}

static void say_hello(zn_slot_loop *loop) {
    zn_message message = { .number = ZN_MSG_HELLO };
    message.hello = (zn_msg_hello){ .role = ZN_ROLE_SLOT,
                                    .pid = (uint64_t)getpid(),
                                    .slots = loop->options.index };
    zn_slot_loop_send(loop, &message);
}

void zn_slot_loop_run(zn_slot_loop *loop) {
    say_hello(loop);
    while (!is_stopping(loop)) {
        zn_slot_order order;
        if (zn_slot_inbox_take(loop, &order)) {
            obey(loop, &order);
            free(order.task.runs);
            continue;
        }
        zn_message message;
        if (zn_slot_loop_receive(loop, IDLE_MS, &message)) {
            zn_slot_inbox_put(loop, &message);
        }
    }
}
