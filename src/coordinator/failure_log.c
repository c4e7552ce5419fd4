/* SPDX-License-Identifier: MPL-2.0 */
/* What went wrong lately in a stage, for people who ask: a ring of the last attempts that failed,
 * with their whole errors. Beside it, in few words, what happened to tasks that are not completed,
 * so that the error of a job can tell of all attempts, however much failed in between. A stage
 * without failures has neither. Nothing is decided by it: who may try again is counted in retry.h.
 */
#include "coordinator/failure_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"

enum {
    LINE_BYTES = 512
};

void zn_failure_log_add(zn_failure_log *log, zn_task_run run, uint64_t at_ns,
                        const zonda_error *error) {
    if (log->items == NULL) {
        log->items = zn_calloc(ZN_FAILURES_KEPT_MAX, sizeof(*log->items));
    }
    zn_failed_attempt *item = &log->items[log->count % ZN_FAILURES_KEPT_MAX];
    item->run = run;
    item->at_ns = at_ns;
    item->error = *error;
    log->count++;
    log->tasks += run.count;
}

uint64_t zn_failure_log_kept(const zn_failure_log *log) {
    return log->count < ZN_FAILURES_KEPT_MAX ? log->count : ZN_FAILURES_KEPT_MAX;
}

const zn_failed_attempt *zn_failure_log_get(const zn_failure_log *log, uint64_t index) {
    uint64_t kept = zn_failure_log_kept(log);
    ZN_ASSERT(index < kept);
    return &log->items[(log->count - kept + index) % ZN_FAILURES_KEPT_MAX];
}

void zn_failure_log_remember(zn_failure_log *log, zn_task_run run, const char *host,
                             const zonda_error *error) {
    if (log->past_count == ZN_PAST_ATTEMPTS_MAX) {
        log->past_count--;
        memmove(log->past, log->past + 1, log->past_count * sizeof(*log->past));
    }
    ZN_GROW(log->past, log->past_count, log->past_capacity);
    zn_past_attempt *past = &log->past[log->past_count++];
    *past = (zn_past_attempt){ .run = run, .code = error->code, .worker = error->worker };
    zn_error_copy(past->host, sizeof past->host, host, strlen(host));
    zn_error_copy(past->text, sizeof past->text, error->text, strlen(error->text));
}

void zn_failure_log_forget(zn_failure_log *log, uint32_t first, uint32_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < log->past_count; i++) {
        const zn_task_run *run = &log->past[i].run;
        bool inside = run->first >= first && run->first - first + run->count <= count;
        if (!inside) {
            log->past[kept++] = log->past[i];
        }
    }
    log->past_count = kept;
}

static size_t describe(const zn_past_attempt *past, char *out, size_t size) {
    int length = snprintf(out, size, "attempt %llu on worker %llu%s%s: %s (%s)\n",
                          (unsigned long long)past->run.value, (unsigned long long)past->worker,
                          past->host[0] != '\0' ? " on " : "", past->host, past->text,
                          zonda_err_text(past->code));
    return length < 0 ? 0 : (size_t)length;
}

static bool is_about(const zn_past_attempt *past, uint32_t task) {
    return task >= past->run.first && task - past->run.first < past->run.count;
}

/* The first of the entries that are told: the newest for which there is room. */
static size_t first_told(const zn_failure_log *log, uint32_t task, size_t room) {
    char line[LINE_BYTES];
    size_t from = log->past_count;
    while (from > 0) {
        const zn_past_attempt *past = &log->past[from - 1];
        size_t bytes = is_about(past, task) ? describe(past, line, sizeof line) : 0;
        if (bytes >= room) {
            break;
        }
        room -= bytes;
        from--;
    }
    return from;
}

void zn_failure_log_tell(const zn_failure_log *log, uint32_t task, const char *reason,
                         zonda_error *error) {
    char line[LINE_BYTES];
    zn_buf lines = { 0 };
    zn_buf_printf(&lines, "%s\n", reason);
    size_t room = sizeof error->traceback - 2 - lines.len;
    for (size_t i = first_told(log, task, room); i < log->past_count; i++) {
        if (is_about(&log->past[i], task)) {
            zn_buf_append(&lines, line, describe(&log->past[i], line, sizeof line));
        }
    }
    lines.len--; /* the last line does not end */
    zn_buf all = { 0 };
    size_t own = strlen(error->traceback);
    size_t left = sizeof error->traceback - 2 - lines.len;
    if (own > 0 && left > 0) {
        char before[sizeof error->traceback];
        zn_error_copy(before, left, error->traceback, own);
        zn_buf_printf(&all, "%s\n", before);
    }
    zn_buf_append(&all, lines.data, lines.len);
    zn_error_copy(error->traceback, sizeof error->traceback, (const char *)all.data, all.len);
    zn_buf_free(&lines);
    zn_buf_free(&all);
}

void zn_failure_log_free(zn_failure_log *log) {
    free(log->past);
    free(log->items);
    *log = (zn_failure_log){ 0 };
}
