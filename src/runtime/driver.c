/* SPDX-License-Identifier: MPL-2.0 */
/* The driver's shell: does what the core says (a call, a wait, a page for the user) and tells it
 * what came of it. It decides nothing, except that a cancel flag is looked at before every step and
 * that progress is shown at most ten times a second. Runs on the user's thread; nothing happens in
 * the background. */
#include "runtime/driver.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    PROGRESS_MS = 100,
    HURRIED_MS = 1000 /* for calls to a coordinator that has gone silent */
};

static void step(zn_driver *driver, zn_driver_event_kind kind, const zonda_error *error) {
    zn_driver_event event = {
        .kind = kind,
        .now_ns = zn_clock_ns(),
        .reply = driver->reply,
        .error = error,
    };
    zn_driver_core_step(driver->core, &event);
}

/* Shows how far it is: at every end of a stage, else not too often. The core has checked that the
 * status is of a stage of the plan. */
static void show_progress(zn_driver *driver, const zn_msg_status *status) {
    uint64_t now = zn_clock_ns();
    bool due = status->state != ZN_STAGE_RUNNING ||
               now - driver->progress_ns >= PROGRESS_MS * ZN_NS_PER_MS;
    if (driver->on_progress == NULL || !due) {
        return;
    }
    uint32_t stage = (uint32_t)status->stage;
    zonda_progress progress = {
        .job = zn_driver_core_job(driver->core).value,
        .stage = stage,
        .stage_count = (uint32_t)driver->plan->stage_count,
        .stage_name = driver->plan->stages[stage].name,
        .total = status->total,
        .completed = status->completed,
        .running = status->running,
        .retries = status->retries,
        .workers = status->workers,
        .records_in = status->records_in,
        .records_out = status->records_out,
        .bytes_in = status->bytes_in,
        .bytes_out = status->bytes_out,
        .resumed = zn_driver_core_resumed(driver->core),
    };
    driver->progress_ns = now;
    driver->on_progress(driver->progress_context, &progress);
}

static bool is_ending(zn_driver_state state) {
    return state == ZN_DRIVER_CANCELLING || state == ZN_DRIVER_CLOSING ||
           state == ZN_DRIVER_DRAINING || state == ZN_DRIVER_CLOSED;
}

void zn_driver_profile(zn_driver *driver) {
    if (driver->profile != NULL && !driver->profiled) {
        driver->profiled = true;
        zn_run_profile_collect(driver->profile, driver->control,
                               zn_driver_core_job(driver->core).value);
    }
}

static void call(zn_driver *driver, zn_driver_action *action) {
    if (is_ending(zn_driver_core_state(driver->core)) && !action->hurried) {
        zn_driver_profile(driver);
    }
    zn_call call = {
        .request = &action->request,
        .expected = action->expected,
        /* Once the job is being ended there is nothing left to cancel. */
        .cancel = is_ending(zn_driver_core_state(driver->core)) ? NULL : driver->cancel,
        .timeout_ms = action->hurried ? HURRIED_MS : 0,
    };
    zonda_error error = { 0 };
    zonda_err err = zn_control_client_call(driver->control, &call, &driver->reply, &error);
    if (err == ZONDA_OK) {
        if (driver->profile != NULL) {
            zn_run_profile_note(driver->profile, driver->reply);
        }
        step(driver, ZN_DRIVER_REPLY, NULL);
        if (action->expected == ZN_MSG_JOB_OPENED) {
            zn_log(ZONDA_LOG_INFO, "driver-job-opened", "job=%llu resumed=%d name=\"%.*s\"",
                   (unsigned long long)zn_driver_core_job(driver->core).value,
                   zn_driver_core_resumed(driver->core), (int)action->request.open_job.name.len,
                   (const char *)action->request.open_job.name.data);
        }
        bool failed = zn_driver_core_failure(driver->core)->code != ZONDA_OK;
        if (action->expected == ZN_MSG_STATUS && !failed) {
            show_progress(driver, &driver->reply->status);
        }
    } else if (zn_control_client_was_refused(driver->control)) {
        step(driver, ZN_DRIVER_REFUSED, &error);
    } else if (err == ZONDA_ERR_CANCELLED) {
        driver->stopped = true;
        step(driver, ZN_DRIVER_STOP, &error);
    } else {
        step(driver, ZN_DRIVER_LOST, &error);
    }
}

static void wait(zn_driver *driver, const zn_driver_action *action) {
    uint64_t now = zn_clock_ns();
    uint64_t wait_ns = action->until_ns > now ? action->until_ns - now : 0;
    bool hint = zn_events_wait(driver->events, zn_driver_core_job(driver->core), wait_ns);
    zn_driver_event event = { .kind = ZN_DRIVER_TIMER, .now_ns = zn_clock_ns(), .hint = hint };
    zn_driver_core_step(driver->core, &event);
}

static void deliver(zn_driver *driver) {
    zonda_error error = { 0 };
    zonda_err err = driver->deliver(driver->deliver_context, &driver->reply->results, &error);
    if (err == ZONDA_OK) {
        step(driver, ZN_DRIVER_DELIVERED, NULL);
    } else if (error.has_lost) {
        step(driver, ZN_DRIVER_UNREAD, &error);
    } else {
        step(driver, ZN_DRIVER_STOP, &error);
    }
}

static void look_at_cancel(zn_driver *driver) {
    if (driver->cancel != NULL && *driver->cancel != 0 && !driver->stopped) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_CANCELLED, "the execution was cancelled");
        driver->stopped = true;
        step(driver, ZN_DRIVER_STOP, &error);
    }
}

zonda_err zn_driver_run(zn_driver *driver, zonda_error *error) {
    for (;;) {
        look_at_cancel(driver);
        zn_driver_action action;
        zn_driver_core_next(driver->core, &action);
        switch (action.kind) {
        case ZN_DRIVER_CALL:
            call(driver, &action);
            break;
        case ZN_DRIVER_WAIT:
            wait(driver, &action);
            break;
        case ZN_DRIVER_DELIVER:
            deliver(driver);
            break;
        case ZN_DRIVER_REST:
        case ZN_DRIVER_END:
            if (error != NULL && zn_driver_core_failure(driver->core)->code != ZONDA_OK) {
                *error = *zn_driver_core_failure(driver->core);
            }
            return zn_driver_core_failure(driver->core)->code;
        }
    }
}

zonda_err zn_driver_want(zn_driver *driver, zonda_error *error) {
    step(driver, ZN_DRIVER_WANT, NULL);
    return zn_driver_run(driver, error);
}

zonda_err zn_driver_unread(zn_driver *driver, zonda_error *error) {
    zonda_error unread = *error;
    step(driver, ZN_DRIVER_UNREAD, &unread);
    return zn_driver_run(driver, error);
}

void zn_driver_close(zn_driver *driver) {
    step(driver, ZN_DRIVER_CLOSE, NULL);
    zn_driver_run(driver, NULL);
}
