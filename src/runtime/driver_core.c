/* SPDX-License-Identifier: MPL-2.0 */
/* The stage loop of one execution as a state machine: OPEN_JOB, PUT_BLOB for every blob, then for
 * each stage with tasks START_STAGE, its reply, a wait, GET_STATUS until the stage is complete;
 * then the results of the last stage, and CLOSE_JOB until no worker holds anything of the job.
 *
 * Invariants: a stage is started only after the stage before it is complete; GET_STATUS is asked
 * only for a stage whose START_STAGE was answered; "complete" is believed only of a status that
 * passed driver_check.c; a stage of zero tasks is never started. The first failure stays, and from
 * it every way leads to CLOSED. Time comes in with events. Events change the state here;
 * driver_action.c says what a state does. */
#include "runtime/driver_core.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "runtime/driver_state.h"

typedef void handler(zn_driver_core *core, const zn_driver_event *event);

/* The next stage with tasks from `from` on; the number of stages if there is none. */
static size_t next_stage(const zn_plan *plan, size_t from) {
    while (from < plan->stage_count && plan->stages[from].task_count == 0) {
        from++;
    }
    return from;
}

static bool is_last_stage(const zn_driver_core *core) {
    return core->stage + 1 == core->plan->stage_count;
}

static uint64_t results_total(const zn_driver_core *core) {
    return core->plan->stages[core->plan->stage_count - 1].task_count;
}

zn_driver_core *zn_driver_core_new(const zn_plan *plan, const zn_driver_options *options) {
    ZN_ASSERT(plan->stage_count > 0);
    zn_driver_core *core = ZN_NEW(zn_driver_core);
    core->plan = plan;
    core->name = zn_strdup(options->name);
    core->job_options = options->job;
    core->stage_counters = zn_calloc(plan->stage_count, sizeof *core->stage_counters);
    core->stage_count = plan->stage_count;
    core->stream = options->stream;
    core->timeout_ns = options->timeout_ns;
    bool empty = next_stage(plan, 0) == plan->stage_count;
    core->state = empty ? ZN_DRIVER_READY : ZN_DRIVER_OPENING;
    return core;
}

void zn_driver_core_destroy(zn_driver_core **core) {
    if (core == NULL || *core == NULL) {
        return;
    }
    for (size_t i = 0; i < (*core)->stage_count; i++) {
        zn_counter_set_free(&(*core)->stage_counters[i]);
    }
    free((*core)->stage_counters);
    zn_counter_set_free(&(*core)->counters);
    free((*core)->name);
    free(*core);
    *core = NULL;
}

static void keep_failure(zn_driver_core *core, const zonda_error *error) {
    if (core->failure.code == ZONDA_OK) {
        core->failure = *error;
        if (core->failure.code == ZONDA_OK) {
            core->failure.code = ZONDA_ERR_INTERNAL;
        }
    }
}

/* Where the job is ended: by CANCEL_JOB while the coordinator may still run something of it. */
static void end_job(zn_driver_core *core, uint64_t now_ns, zn_driver_state how) {
    core->deadline_ns = now_ns + core->timeout_ns;
    core->interval_ns = 0;
    core->state = core->job.value == 0 ? ZN_DRIVER_CLOSED : how;
}

static void fail(zn_driver_core *core, const zn_driver_event *event, const zonda_error *error) {
    keep_failure(core, error);
    end_job(core, event->now_ns, ZN_DRIVER_CANCELLING);
}

/* Twice as long as the last time, within the limits. */
static void wait_longer(zn_driver_core *core, uint64_t now_ns, zn_driver_state where) {
    uint64_t interval_max = ZN_POLL_MS_MAX * ZN_NS_PER_MS;
    core->interval_ns = core->interval_ns == 0 ? ZN_POLL_NS_MIN : core->interval_ns * 2;
    core->interval_ns = core->interval_ns < interval_max ? core->interval_ns : interval_max;
    core->due_ns = now_ns + core->interval_ns;
    core->state = where;
}

static void start_next_stage(zn_driver_core *core, size_t from) {
    size_t stage = next_stage(core->plan, from);
    ZN_ASSERT(stage < core->plan->stage_count);
    core->stage = (uint32_t)stage;
    core->stage_complete = false;
    core->stage_counted = false;
    core->interval_ns = 0;
    core->completed = 0;
    core->state = ZN_DRIVER_STARTING;
}

/* Where to go on when the blob at `core->blob` is the next one to put. */
static void put_next_blob(zn_driver_core *core) {
    core->blob_asked = false;
    core->blob_offset = 0;
    if (core->blob < core->plan->blob_count) {
        core->state = ZN_DRIVER_PUTTING;
    } else {
        start_next_stage(core, 0);
    }
}

static void on_opened(zn_driver_core *core, const zn_driver_event *event) {
    uint64_t job = event->reply->job_opened.job;
    if (job == 0) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_PROTOCOL, "OPEN_JOB: the coordinator gave 0 for the job");
        fail(core, event, &error);
        return;
    }
    core->job = (zn_job_id){ job };
    core->resumed = event->reply->job_opened.resumed != 0;
    core->blob = 0;
    put_next_blob(core);
}

static void on_stored(zn_driver_core *core, const zn_driver_event *event) {
    zonda_error error;
    const zn_msg_blob_stored *reply = &event->reply->blob_stored;
    if (zn_driver_check_stored(core, reply, &error) != ZONDA_OK) {
        fail(core, event, &error);
        return;
    }
    core->blob_asked = true;
    core->blob_offset = reply->received;
    if (reply->received == core->plan->blobs[core->blob].bytes.len) {
        core->blob++;
        put_next_blob(core);
    }
}

static void on_started(zn_driver_core *core, const zn_driver_event *event) {
    zonda_error error;
    if (zn_driver_check_started(core, &event->reply->stage_started, &error) != ZONDA_OK) {
        fail(core, event, &error);
        return;
    }
    /* What has just begun is not asked about before it may have moved; what was there is. */
    if (event->reply->stage_started.completed > 0 || core->resumed) {
        core->state = ZN_DRIVER_CHECKING;
    } else {
        wait_longer(core, event->now_ns, ZN_DRIVER_WAITING);
    }
}

static int64_t to_signed(uint64_t value) {
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* A sum over the tasks of a stage, with the values that single tasks had. */
static void count_sum(zn_counter_set *set, const zn_msg_status *status, const char *name,
                      uint64_t sum, size_t spread) {
    if (spread >= status->spreads_count) {
        zn_counter_set_add_value(set, name, sum);
        return;
    }
    zonda_counter counter = { .sum = to_signed(sum),
                              .min = to_signed(status->spreads[spread].min),
                              .max = to_signed(status->spreads[spread].max),
                              .count = status->total };
    zn_counter_set_add(set, zn_bytes_of_text(name), &counter);
}

static void count_status(zn_counter_set *set, const zn_msg_status *status) {
    zn_counter_set_add_value(set, "tasks", status->total);
    zn_counter_set_add_value(set, "retries", status->retries);
    count_sum(set, status, "records_in", status->records_in, 0);
    count_sum(set, status, "records_out", status->records_out, 1);
    count_sum(set, status, "bytes_in", status->bytes_in, 2);
    count_sum(set, status, "bytes_out", status->bytes_out, 3);
    for (size_t i = 0; i < status->counters_count; i++) {
        const zn_counter *from = &status->counters[i];
        zonda_counter counter = {
            .sum = from->sum, .min = from->min, .max = from->max, .count = from->count
        };
        zn_counter_set_add(set, from->name, &counter);
    }
}

static void count_stage(zn_driver_core *core, const zn_msg_status *status) {
    if (core->stage_counted) {
        return;
    }
    core->stage_counted = true;
    count_status(&core->stage_counters[core->stage], status);
    count_status(&core->counters, status);
}

/* The stage has ended without being complete. The coordinator has ended the job itself. */
static void on_stage_ended(zn_driver_core *core, const zn_driver_event *event) {
    const zn_msg_status *status = &event->reply->status;
    zonda_error error;
    if (status->failure_count > 0) {
        zn_failure_to_error(&status->failure[0], &error);
    } else if (status->state == ZN_STAGE_CANCELLED) {
        zn_error_set(&error, ZONDA_ERR_CANCELLED, "job %llu was cancelled",
                     (unsigned long long)core->job.value);
    } else {
        zn_error_set(&error, ZONDA_ERR_PROTOCOL, "stage %u of job %llu failed without a reason",
                     core->stage, (unsigned long long)core->job.value);
    }
    keep_failure(core, &error);
    end_job(core, event->now_ns, ZN_DRIVER_CLOSING);
}

/* The last stage is complete: collect, or rest until somebody reads. */
static void on_all_complete(zn_driver_core *core) {
    bool collect = core->stream || core->wanted;
    bool more = core->next_result < results_total(core);
    core->state = collect && more ? ZN_DRIVER_COLLECTING : ZN_DRIVER_READY;
}

static void on_running(zn_driver_core *core, const zn_driver_event *event) {
    core->page_was_empty = false;
    bool more = core->completed > core->next_result;
    if (core->stream && is_last_stage(core) && more) {
        core->state = ZN_DRIVER_COLLECTING;
    } else {
        wait_longer(core, event->now_ns, ZN_DRIVER_WAITING);
    }
}

static void on_status(zn_driver_core *core, const zn_driver_event *event) {
    const zn_msg_status *status = &event->reply->status;
    zonda_error error;
    if (zn_driver_check_status(core, status, &error) != ZONDA_OK) {
        fail(core, event, &error);
        return;
    }
    core->completed = status->completed;
    core->stage_complete = status->state == ZN_STAGE_COMPLETE;
    if (status->state == ZN_STAGE_RUNNING) {
        on_running(core, event);
    } else if (!core->stage_complete) {
        on_stage_ended(core, event);
    } else {
        count_stage(core, status);
        if (next_stage(core->plan, core->stage + 1) == core->plan->stage_count) {
            on_all_complete(core); /* the last stage may have no tasks, and then no results */
        } else {
            start_next_stage(core, core->stage + 1);
        }
    }
}

static void on_results(zn_driver_core *core, const zn_driver_event *event) {
    const zn_msg_results *page = &event->reply->results;
    zonda_error error;
    if (zn_driver_check_results(core, page, &error) != ZONDA_OK) {
        fail(core, event, &error);
        return;
    }
    core->tell_lost = NULL;
    if (page->results_count > 0) {
        const zn_result *last = &page->results[page->results_count - 1];
        core->page_end = last->first + last->count;
        core->page_was_empty = false;
        core->state = ZN_DRIVER_DELIVERING;
    } else if (core->stage_complete) {
        /* Results that went away with their worker are made again; ask how far that is. */
        core->page_was_empty = true;
        core->state = ZN_DRIVER_CHECKING;
    } else {
        wait_longer(core, event->now_ns, ZN_DRIVER_WAITING);
    }
}

static void on_delivered(zn_driver_core *core, const zn_driver_event *event) {
    (void)event;
    core->next_result = core->page_end;
    core->wanted = false;
    core->interval_ns = 0;
    bool more = core->next_result < results_total(core);
    if (!core->stream || (core->stage_complete && !more)) {
        core->state = ZN_DRIVER_READY;
    } else if (more && (core->stage_complete || core->completed > core->next_result)) {
        core->state = ZN_DRIVER_COLLECTING;
    } else {
        core->state = ZN_DRIVER_CHECKING;
    }
}

static uint32_t unread_max(const zn_driver_core *core) {
    uint64_t limit = core->job_options.infra_attempts;
    return limit > 0 ? (uint32_t)limit : ZN_ATTEMPTS_INFRA_MAX;
}

/* Goes back to the result that could not be read, which is to be made again. */
static void on_unread(zn_driver_core *core, const zn_driver_event *event) {
    const zonda_error *error = event->error;
    bool ours =
        error->has_lost && error->lost_stage == core->stage && error->lost_task < core->page_end;
    core->lost_count = error->lost_task == core->lost.task ? core->lost_count + 1 : 1;
    if (!ours || core->lost_count >= unread_max(core)) {
        fail(core, event, error);
        return;
    }
    core->tell_lost = &core->lost;
    core->lost = (zn_lost_result){ error->lost_stage, error->lost_task, error->lost_attempt };
    core->next_result = error->lost_task;
    core->wanted = true;
    core->interval_ns = 0;
    core->state = ZN_DRIVER_COLLECTING;
}

static void on_poll_due(zn_driver_core *core, const zn_driver_event *event) {
    if (event->hint) {
        core->interval_ns = 0;
    }
    core->state = ZN_DRIVER_CHECKING;
}

static void on_want(zn_driver_core *core, const zn_driver_event *event) {
    (void)event;
    if (!zn_driver_core_drained(core)) {
        core->wanted = true;
        core->state = ZN_DRIVER_COLLECTING;
    }
}

static void on_failed(zn_driver_core *core, const zn_driver_event *event) {
    fail(core, event, event->error);
}

static void on_lost(zn_driver_core *core, const zn_driver_event *event) {
    core->hurried = true;
    fail(core, event, event->error);
}

/* Closed while stages still run: that is a cancellation. */
static void on_abandoned(zn_driver_core *core, const zn_driver_event *event) {
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_CANCELLED, "the execution was closed before it was complete");
    fail(core, event, &error);
}

static void on_close(zn_driver_core *core, const zn_driver_event *event) {
    end_job(core, event->now_ns, ZN_DRIVER_CLOSING);
}

/* Answered or refused (the coordinator may have forgotten the job): close it in any case. */
static void on_cancelled(zn_driver_core *core, const zn_driver_event *event) {
    (void)event;
    core->state = ZN_DRIVER_CLOSING;
}

static void on_closing(zn_driver_core *core, const zn_driver_event *event) {
    const zn_msg_job_closing *reply = &event->reply->job_closing;
    if (reply->waiting == 0) {
        core->state = ZN_DRIVER_CLOSED;
    } else if (event->now_ns >= core->deadline_ns) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_TIMEOUT,
                     "job %llu was closed, but %llu workers have not said DONE",
                     (unsigned long long)core->job.value, (unsigned long long)reply->waiting);
        keep_failure(core, &error);
        core->state = ZN_DRIVER_CLOSED;
    } else {
        wait_longer(core, event->now_ns, ZN_DRIVER_DRAINING);
    }
}

static void on_close_refused(zn_driver_core *core, const zn_driver_event *event) {
    if (event->error->code != ZONDA_ERR_UNKNOWN_JOB) {
        keep_failure(core, event->error);
    }
    core->state = ZN_DRIVER_CLOSED;
}

static void on_close_lost(zn_driver_core *core, const zn_driver_event *event) {
    keep_failure(core, event->error);
    core->state = ZN_DRIVER_CLOSED;
}

static void on_close_due(zn_driver_core *core, const zn_driver_event *event) {
    if (event->hint) {
        core->interval_ns = 0;
    }
    core->state = ZN_DRIVER_CLOSING;
}

/* clang-format off */
#define CALLING(on_reply)                                                                          \
    { [ZN_DRIVER_REPLY] = (on_reply), [ZN_DRIVER_REFUSED] = on_failed,                             \
      [ZN_DRIVER_LOST] = on_lost, [ZN_DRIVER_STOP] = on_failed, [ZN_DRIVER_CLOSE] = on_abandoned }

/* NULL: the event has no place there and is ignored. */
static handler *const table[ZN_DRIVER_STATES][ZN_DRIVER_EVENTS] = {
    [ZN_DRIVER_OPENING] = CALLING(on_opened),
    [ZN_DRIVER_PUTTING] = CALLING(on_stored),
    [ZN_DRIVER_STARTING] = CALLING(on_started),
    [ZN_DRIVER_CHECKING] = CALLING(on_status),
    [ZN_DRIVER_COLLECTING] = CALLING(on_results),
    [ZN_DRIVER_WAITING] = { [ZN_DRIVER_TIMER] = on_poll_due, [ZN_DRIVER_STOP] = on_failed,
                            [ZN_DRIVER_CLOSE] = on_abandoned },
    [ZN_DRIVER_DELIVERING] = { [ZN_DRIVER_DELIVERED] = on_delivered, [ZN_DRIVER_UNREAD] = on_unread,
                               [ZN_DRIVER_STOP] = on_failed,
                               [ZN_DRIVER_CLOSE] = on_abandoned },
    [ZN_DRIVER_READY] = { [ZN_DRIVER_WANT] = on_want, [ZN_DRIVER_UNREAD] = on_unread,
                          [ZN_DRIVER_STOP] = on_failed,
                          [ZN_DRIVER_CLOSE] = on_close },
    [ZN_DRIVER_CANCELLING] = { [ZN_DRIVER_REPLY] = on_cancelled, [ZN_DRIVER_REFUSED] = on_cancelled,
                               [ZN_DRIVER_LOST] = on_close_lost },
    [ZN_DRIVER_CLOSING] = { [ZN_DRIVER_REPLY] = on_closing, [ZN_DRIVER_REFUSED] = on_close_refused,
                            [ZN_DRIVER_LOST] = on_close_lost },
    [ZN_DRIVER_DRAINING] = { [ZN_DRIVER_TIMER] = on_close_due },
};
/* clang-format on */

void zn_driver_core_step(zn_driver_core *core, const zn_driver_event *event) {
    handler *handle = table[core->state][event->kind];
    if (handle == NULL) {
        core->ignored++;
        return;
    }
    if (event->kind == ZN_DRIVER_REPLY && event->reply->number != zn_driver_expected(core->state)) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_PROTOCOL, "%s came where %s was awaited",
                     zn_message_name(event->reply->number),
                     zn_message_name(zn_driver_expected(core->state)));
        zn_driver_event lost = { .kind = ZN_DRIVER_LOST, .now_ns = event->now_ns, .error = &error };
        table[core->state][ZN_DRIVER_LOST](core, &lost);
        return;
    }
    handle(core, event);
}

zn_driver_state zn_driver_core_state(const zn_driver_core *core) {
    return core->state;
}

const char *zn_driver_state_name(zn_driver_state state) {
    static const char *const names[ZN_DRIVER_STATES] = {
        "OPENING",    "PUTTING", "STARTING",   "CHECKING", "WAITING",  "COLLECTING",
        "DELIVERING", "READY",   "CANCELLING", "CLOSING",  "DRAINING", "CLOSED",
    };
    return names[state];
}

zn_job_id zn_driver_core_job(const zn_driver_core *core) {
    return core->job;
}

uint32_t zn_driver_core_stage(const zn_driver_core *core) {
    return core->stage;
}

bool zn_driver_core_resumed(const zn_driver_core *core) {
    return core->resumed;
}

uint64_t zn_driver_core_ignored(const zn_driver_core *core) {
    return core->ignored;
}

const zonda_error *zn_driver_core_failure(const zn_driver_core *core) {
    return &core->failure;
}

bool zn_driver_core_drained(const zn_driver_core *core) {
    return core->next_result == results_total(core);
}

const zn_counter_set *zn_driver_core_counters(const zn_driver_core *core) {
    return &core->counters;
}

const zn_counter_set *zn_driver_core_stage_counters(const zn_driver_core *core, size_t stage) {
    ZN_ASSERT(stage < core->stage_count);
    return &core->stage_counters[stage];
}
