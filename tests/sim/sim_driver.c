/* SPDX-License-Identifier: MPL-2.0 */
/* A driver of the simulator: the real driver core, with calls that are repeated and given up as the
 * control client does it, and a user who checks every result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/value.h"
#include "runtime/driver_state.h"
#include "sim_slot.h"

enum {
    AWAY_S_MAX = 8 /* longer than the coordinator waits for a driver that has gone */
};

static void advance(sim *s, uint32_t index);

/* What the driver's clock shows. */
static uint64_t clock_of(const sim *s, const sim_driver *driver) {
    return s->now_ns + driver->ahead_ns;
}

/* ---- the plan ---- */

/* A stage reads the one before it, and perhaps another one. */
static void choose_inputs(sim *s, sim_driver *driver, size_t number) {
    sim_stage *stage = &driver->stages[number];
    size_t count = number == 0 || sim_chance(s, 300) ? 0 : number > 1 && sim_chance(s, 300) ? 2 : 1;
    zn_plan_stage *plan = &driver->plan->stages[number];
    plan->inputs = zn_calloc(SIM_INPUTS_MAX, sizeof *plan->inputs);
    plan->input_count = count;
    stage->input_count = count;
    for (size_t i = 0; i < count; i++) {
        size_t input = number - 1 - i;
        stage->inputs[i] = input;
        plan->inputs[i] =
            (zn_stage_input){ .stage = input,
                              .by = sim_chance(s, 500) ? ZN_INPUT_ALL : ZN_INPUT_PARTITION };
        for (uint32_t k = 0; k < driver->stages[input].tasks; k++) {
            uint64_t value = sim_task_value(&driver->stages[input], k);
            stage->fold = sim_fold(stage->fold, input, k, value);
        }
    }
}

static void make_stage(sim *s, sim_driver *driver, size_t number, size_t count) {
    sim_stage *stage = &driver->stages[number];
    char text[64];
    snprintf(text, sizeof text, "stage %zu of %llu", number,
             (unsigned long long)sim_roll(s, UINT64_MAX));
    zn_plan_blob *blob = &driver->plan->blobs[number];
    zn_buf_append_text(&blob->bytes, text);
    blob->digest = zn_digest_of(zn_buf_bytes(&blob->bytes));
    *stage = (sim_stage){ .body = blob->digest,
                          .tasks = 1 + (uint32_t)sim_roll(s, SIM_TASKS_MAX - 1),
                          .sinks = sim_chance(s, 300),
                          .large = sim_chance(s, 200) && number + 1 < count,
                          .fail_per_mille = sim_chance(s, 300) ? 100 : 0,
                          .crash_per_mille = sim_chance(s, 300) ? 20 : 0,
                          .task_ns = ZN_NS_PER_MS << sim_roll(s, 9) };
    driver->plan->stages[number] = (zn_plan_stage){ .name = zn_strdup("simulated"),
                                                    .task_count = stage->tasks,
                                                    .body = stage->body };
    choose_inputs(s, driver, number);
}

/* What one process shows stays in order. */
void sim_driver_show(sim *s, uint32_t index, bool present) {
    sim_driver *driver = &s->drivers[index];
    uint64_t at_ns = s->now_ns + sim_roll(s, 50 * ZN_NS_PER_MS);
    driver->shown_ns = at_ns > driver->shown_ns ? at_ns : driver->shown_ns;
    sim_event *event = sim_add(s, SIM_COORDINATOR_DRIVER, driver->shown_ns - s->now_ns);
    event->mark = driver->client;
    event->value = present ? 1 : 0;
}

/* The process begins; it makes its first call within a time. */
static void begin_process(sim *s, uint32_t index, uint64_t delay_ns) {
    sim_driver *driver = &s->drivers[index];
    char name[32];
    snprintf(name, sizeof name, "simulated %u", index);
    zn_driver_options options = { .name = name,
                                  .stream = sim_chance(s, 500),
                                  .timeout_ns = ZN_CALL_TIMEOUT_MS * ZN_NS_PER_MS,
                                  .job = { .resume = driver->resumes } };
    driver->client = 1 + sim_roll(s, UINT32_MAX);
    driver->core = zn_driver_core_new(driver->plan, &options);
    driver->answered = false;
    driver->next_result = 0;
    sim_event *start = sim_add(s, SIM_DRIVER_TIMER, sim_roll(s, delay_ns));
    start->node = index;
    start->mark = ++driver->timer;
    sim_driver_show(s, index, true);
}

void sim_driver_start(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    size_t count = 1 + sim_roll(s, SIM_STAGES_MAX);
    driver->plan = ZN_NEW(zn_plan);
    driver->plan->stages = zn_calloc(count, sizeof *driver->plan->stages);
    driver->plan->blobs = zn_calloc(count, sizeof *driver->plan->blobs);
    driver->plan->stage_count = count;
    driver->plan->blob_count = count;
    for (size_t i = 0; i < count; i++) {
        make_stage(s, driver, i, count);
    }
    driver->plan->fingerprint = driver->stages[count - 1].body;
    driver->cancel = sim_chance(s, 100);
    driver->resumes = sim_chance(s, 500);
    begin_process(s, index, 5 * ZN_NS_PER_S);
}

static void start_later(sim *s, uint32_t index) {
    s->drivers[index].gone = true;
    sim_add(s, SIM_DRIVER_START, sim_roll(s, AWAY_S_MAX * ZN_NS_PER_S))->node = index;
}

void sim_driver_kill(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    if (driver->ended || driver->gone) {
        return;
    }
    sim_trace(s, "driver killed", NULL, index);
    sim_driver_show(s, index, false);
    driver->gone = true;
    if (driver->resumes && sim_chance(s, 800)) {
        start_later(s, index);
    } else {
        driver->ended = true;
    }
}

static void start_again(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    sim_trace(s, "driver starts again", NULL, index);
    zn_driver_core_destroy(&driver->core);
    driver->calling = false;
    driver->gone = false;
    driver->again = true;
    begin_process(s, index, ZN_NS_PER_S);
}

void sim_driver_free(sim_driver *driver) {
    zn_driver_core_destroy(&driver->core);
    zn_plan_destroy(&driver->plan);
    zn_buf_free(&driver->call);
}

uint64_t sim_task_make(const sim_stage *stage, uint64_t task, uint64_t fold) {
    uint64_t head = 0;
    memcpy(&head, stage->body.bytes, sizeof head);
    return (head ^ fold ^ task * UINT64_C(0x9e3779b97f4a7c15)) >> 1;
}

uint64_t sim_task_value(const sim_stage *stage, uint64_t task) {
    return sim_task_make(stage, task, stage->fold);
}

const sim_stage *sim_find_stage(sim *s, const zn_digest *body, sim_driver **driver,
                                size_t *number) {
    for (uint32_t i = 0; i < s->driver_count; i++) {
        for (size_t k = 0; k < s->drivers[i].plan->stage_count; k++) {
            if (zn_digest_equal(s->drivers[i].stages[k].body, *body)) {
                *driver = &s->drivers[i];
                *number = k;
                return &s->drivers[i].stages[k];
            }
        }
    }
    return NULL;
}

/* ---- results ---- */

static void check_record(sim *s, const sim_stage *stage, uint64_t task, const zn_result *result) {
    zn_buf expected = { 0 };
    zn_put_uint(&expected, sim_task_value(stage, task));
    if (result->reference_count > 0 || result->records_out != 1 ||
        !zn_bytes_equal(result->records, zn_buf_bytes(&expected))) {
        sim_fail(s, "the result of task %llu is another one than it gave",
                 (unsigned long long)task);
    }
    zn_buf_free(&expected);
}

static void check_page(sim *s, sim_driver *driver, const zn_msg_results *page) {
    const sim_stage *stage = &driver->stages[driver->plan->stage_count - 1];
    for (size_t i = 0; i < page->results_count; i++) {
        const zn_result *result = &page->results[i];
        for (uint64_t k = 0; k < result->count; k++) {
            if (result->first + k < driver->next_result) {
                continue;
            }
            if (result->first + k != driver->next_result) {
                sim_fail(s, "results have a gap at task %llu",
                         (unsigned long long)driver->next_result);
            }
            check_record(s, stage, driver->next_result, result);
            driver->next_result++;
        }
    }
}

/* Each task of a complete stage has given one record and counted itself once. */
static void check_sums(sim *s, const zn_msg_status *status) {
    bool counted = status->counters_count == 1 && status->counters[0].count == status->total &&
                   status->counters[0].sum == (int64_t)status->total;
    if (status->state == ZN_STAGE_COMPLETE && (status->records_out != status->total || !counted)) {
        sim_fail(s, "stage %llu is complete with %llu tasks and %llu records, %lld counted",
                 (unsigned long long)status->stage, (unsigned long long)status->total,
                 (unsigned long long)status->records_out,
                 status->counters_count == 0 ? 0 : (long long)status->counters[0].sum);
    }
}

/* ---- calls ---- */

static void core_step(sim *s, sim_driver *driver, zn_driver_event event) {
    event.now_ns = clock_of(s, driver);
    zn_driver_core_step(driver->core, &event);
}

static void arm(sim *s, uint32_t index, uint64_t until_ns) {
    sim_driver *driver = &s->drivers[index];
    uint64_t now = clock_of(s, driver);
    sim_event *timer = sim_add(s, SIM_DRIVER_TIMER, until_ns > now ? until_ns - now : 0);
    timer->node = index;
    timer->mark = ++driver->timer;
}

/* Sends the call (again), and wakes up for the next time or when it is to be given up. */
static void send_call(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    zn_message request = *sim_decode(s, &driver->call);
    driver->resend_ns = clock_of(s, driver) + ZN_CALL_RETRY_MS * ZN_NS_PER_MS;
    sim_send(s, (sim_event){ .kind = SIM_COORDINATOR_CALL, .node = index, .mark = driver->request },
             &request, driver->cut_ns);
    arm(s, index,
        driver->resend_ns < driver->deadline_ns ? driver->resend_ns : driver->deadline_ns);
}

static void begin_call(sim *s, uint32_t index, zn_driver_action *action) {
    sim_driver *driver = &s->drivers[index];
    action->request.hello.client = driver->client;
    action->request.hello.request = ++driver->request;
    driver->calling = true;
    driver->expected = action->expected;
    uint64_t patience_ms = action->hurried ? 1000 : ZN_CALL_TIMEOUT_MS;
    driver->deadline_ns = clock_of(s, driver) + patience_ms * ZN_NS_PER_MS;
    zn_buf_reset(&driver->call, ZN_MIB);
    zn_message_encode(&action->request, &driver->call);
    send_call(s, index);
}

static void give_up(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    zonda_error error;
    zn_error_set(&error, driver->answered ? ZONDA_ERR_TIMEOUT : ZONDA_ERR_UNREACHABLE,
                 "no answer in time");
    driver->calling = false;
    core_step(s, driver, (zn_driver_event){ .kind = ZN_DRIVER_LOST, .error = &error });
}

static void take_reply(sim *s, sim_driver *driver, const zn_message *reply) {
    driver->calling = false;
    driver->answered = true;
    if (reply->number == ZN_MSG_REFUSAL) {
        zonda_error error;
        zn_failure_to_error(&reply->refusal.failure[0], &error);
        core_step(s, driver, (zn_driver_event){ .kind = ZN_DRIVER_REFUSED, .error = &error });
        return;
    }
    if (reply->number == ZN_MSG_STATUS) {
        check_sums(s, &reply->status);
    }
    core_step(s, driver, (zn_driver_event){ .kind = ZN_DRIVER_REPLY, .reply = reply });
    if (zn_driver_core_state(driver->core) == ZN_DRIVER_DELIVERING) {
        check_page(s, driver, &reply->results);
        core_step(s, driver, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    }
}

/* ---- the end ---- */

/* A job may fail because its user cancels, or because the disks of all workers are full. */
static bool may_fail(const sim *s, const sim_driver *driver, zonda_err code) {
    return (code == ZONDA_ERR_CANCELLED && driver->cancel) ||
           (code == ZONDA_ERR_DISK_FULL && s->disk_was_full);
}

static void end(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    const zonda_error *failure = zn_driver_core_failure(driver->core);
    if (failure->code == ZONDA_ERR_REFUSED && driver->again) {
        sim_driver_show(s, index, false);
        start_later(s, index); /* the one before was not missed yet: somebody tries again */
        return;
    }
    driver->ended = true;
    if (failure->code != ZONDA_OK) {
        s->failed_jobs++;
        if (!may_fail(s, driver, failure->code)) {
            sim_fail(s, "a job failed with %s: %s", zonda_err_name(failure->code), failure->text);
        }
        return;
    }
    s->completed_jobs++;
    if (driver->next_result != driver->stages[driver->plan->stage_count - 1].tasks) {
        sim_fail(s, "a job ended with %llu results", (unsigned long long)driver->next_result);
    }
    sim_files_check_job(s, driver);
}

/* ---- the loop ---- */

static void rest(sim *s, sim_driver *driver) {
    bool read = driver->next_result == driver->stages[driver->plan->stage_count - 1].tasks ||
                zn_driver_core_failure(driver->core)->code != ZONDA_OK;
    core_step(s, driver, (zn_driver_event){ .kind = read ? ZN_DRIVER_CLOSE : ZN_DRIVER_WANT });
}

static void advance(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    while (!driver->calling && !driver->ended && !driver->gone && s->problem[0] == '\0') {
        zn_driver_action action;
        zn_driver_core_next(driver->core, &action);
        if (action.kind == ZN_DRIVER_CALL) {
            begin_call(s, index, &action);
        } else if (action.kind == ZN_DRIVER_WAIT) {
            arm(s, index, action.until_ns);
            return;
        } else if (action.kind == ZN_DRIVER_REST) {
            rest(s, driver);
        } else if (action.kind == ZN_DRIVER_END) {
            end(s, index);
        } else {
            sim_fail(s, "a driver wants to deliver twice");
        }
    }
}

static void on_timer(sim *s, uint32_t index) {
    sim_driver *driver = &s->drivers[index];
    if (driver->cancel && sim_chance(s, 30) && !driver->calling) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_CANCELLED, "the user cancels");
        core_step(s, driver, (zn_driver_event){ .kind = ZN_DRIVER_STOP, .error = &error });
    } else if (!driver->calling) {
        core_step(s, driver,
                  (zn_driver_event){ .kind = ZN_DRIVER_TIMER, .hint = sim_chance(s, 300) });
    } else if (clock_of(s, driver) >= driver->deadline_ns) {
        give_up(s, index);
    } else {
        send_call(s, index);
    }
}

void sim_driver_event(sim *s, const sim_event *event) {
    sim_driver *driver = &s->drivers[event->node];
    if (event->kind == SIM_DRIVER_START) {
        start_again(s, event->node);
        return;
    }
    if (driver->ended || driver->gone) {
        return;
    }
    if (event->kind == SIM_DRIVER_TIMER) {
        if (event->mark != driver->timer) {
            return;
        }
        on_timer(s, event->node);
    } else if (!driver->calling || event->mark != driver->request) {
        return; /* a late or repeated answer */
    } else {
        const zn_message *reply = sim_decode(s, &event->bytes);
        if (reply->number != ZN_MSG_REFUSAL && reply->number != driver->expected) {
            sim_fail(s, "a call was answered with %s", zn_message_name(reply->number));
            return;
        }
        take_reply(s, driver, reply);
    }
    advance(s, event->node);
}
