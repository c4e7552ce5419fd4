/* SPDX-License-Identifier: MPL-2.0 */
/* The task as user functions see it: where they are, counters, shared data, and how they fail. One
 * zonda_task lives as long as its stage and is reset for each attempt, so counts and counters of an
 * attempt that fails vanish with it. Words that a function gives to zonda_task_fail wait in
 * `failure` until whoever called the function (function_c.c, lua_function.c) takes them. All calls
 * come from the slot's thread. */
#include "ops/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/shared.h"
#include "ops/task_state.h"
#include "wire/text.h"

#define SPILLED_BYTES "spilled_bytes"

bool zn_task_waits(void *context) {
    const zn_task_host *host = context;
    zn_task_moves(host);
    return host->cancelled != NULL && host->cancelled(host->context);
}

static void drop_counters(zonda_task *task) {
    for (size_t i = 0; i < task->counter_count; i++) {
        free(task->counters[i].name);
    }
    task->counter_count = 0;
}

void zn_task_begin(zonda_task *task, zn_attempt_id attempt) {
    drop_counters(task);
    task->attempt = attempt;
    task->records_in = 0;
    task->records_out = 0;
    task->bytes_in = 0;
    task->bytes_out = 0;
    task->file = NULL;
    task->line = 0;
    task->pulls = false;
    task->withdrawn = false;
    task->state = NULL;
    task->failure.code = ZONDA_OK;
}

void zn_task_free(zonda_task *task) {
    drop_counters(task);
    free(task->counters);
    task->counters = NULL;
    task->counter_capacity = 0;
    zn_shared_destroy(&task->shared);
}

size_t zn_task_counters(const zonda_task *task, zn_counter *out) {
    for (size_t i = 0; i < task->counter_count; i++) {
        const zn_task_counter *counter = &task->counters[i];
        out[i] = (zn_counter){ .name = zn_bytes_of_text(counter->name),
                               .sum = counter->sum,
                               .min = counter->min,
                               .max = counter->max,
                               .count = counter->count };
    }
    return task->counter_count;
}

void *zonda_task_state(const zonda_task *task) {
    return task->state;
}

uint64_t zonda_task_shard(const zonda_task *task) {
    return task->shard;
}

uint64_t zonda_task_shard_count(const zonda_task *task) {
    return task->shard_count;
}

bool zonda_task_cancelled(const zonda_task *task) {
    return task->host->cancelled(task->host->context);
}

/* Names of the counters that every task has: a user's would be added to them. */
static bool is_built_in(const char *name) {
    static const char *const names[] = { "bytes_in", "bytes_out",   "records_in", "records_out",
                                         "retries",  SPILLED_BYTES, "tasks" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The counter of that name, made if there is room; NULL: no. */
static zn_task_counter *find_counter(zonda_task *task, const char *name) {
    for (size_t i = 0; i < task->counter_count; i++) {
        if (strcmp(task->counters[i].name, name) == 0) {
            return &task->counters[i];
        }
    }
    zn_bytes text = zn_bytes_of_text(name);
    if (task->counter_count == ZN_TASK_COUNTERS_MAX || text.len == 0 ||
        text.len > ZN_NAME_BYTES_MAX || !zn_text_is_valid(text)) {
        return NULL;
    }
    ZN_GROW(task->counters, task->counter_count, task->counter_capacity);
    zn_task_counter *counter = &task->counters[task->counter_count++];
    *counter = (zn_task_counter){ .name = zn_strdup(name), .min = INT64_MAX, .max = INT64_MIN };
    return counter;
}

static zonda_err count(zonda_task *task, const char *name, int64_t value) {
    zn_task_counter *counter = find_counter(task, name);
    int64_t sum = 0;
    if (counter == NULL || __builtin_add_overflow(counter->sum, value, &sum)) {
        return ZONDA_ERR_LIMIT;
    }
    counter->sum = sum;
    counter->min = value < counter->min ? value : counter->min;
    counter->max = value > counter->max ? value : counter->max;
    counter->count++;
    return ZONDA_OK;
}

zonda_err zonda_task_counter(zonda_task *task, const char *name, int64_t value) {
    return is_built_in(name) ? ZONDA_ERR_LIMIT : count(task, name, value);
}

void zn_task_spilled(zonda_task *task, uint64_t bytes) {
    if (bytes > 0) {
        count(task, SPILLED_BYTES, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes);
    }
}

zonda_err zn_task_shared_bytes(zonda_task *task, zn_bytes name, zn_bytes *out, zonda_error *error) {
    return zn_shared_bytes(task->shared, name, out, error);
}

/* The words of a failure wait in the task, for a function that returns the code it got. */
zonda_err zonda_task_shared(zonda_task *task, const char *name, const msgpack_object **value) {
    return zn_shared_object(task->shared, zn_bytes_of_text(name), value, &task->failure);
}

static void set_failure(zonda_task *task, bool permanent, const char *format, va_list args) {
    char text[sizeof task->failure.text];
    vsnprintf(text, sizeof text, format, args);
    zn_error_set(&task->failure, ZONDA_ERR_USER, "%s", text);
    task->failure.permanent = permanent;
}

zonda_err zonda_task_fail(zonda_task *task, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_failure(task, false, format, args);
    va_end(args);
    return ZONDA_ERR_USER;
}

zonda_err zonda_task_fail_permanent(zonda_task *task, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_failure(task, true, format, args);
    va_end(args);
    return ZONDA_ERR_USER;
}
