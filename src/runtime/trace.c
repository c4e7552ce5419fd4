/* SPDX-License-Identifier: MPL-2.0 */
/* A profile as a Chrome trace, which Perfetto and chrome://tracing open: the JSON object form of
 * "Trace Event Format" (Google, 2016). Processes are the driver and the workers, threads their
 * slots; every slice is a complete event ("X"). Slots nest theirs by how they measure them, so
 * events go out as they came. Times are microseconds since the earliest of all, because clocks of
 * machines may differ a little. Used by zonda_execute. */
#include "runtime/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "store/file.h"
#include "wire/text.h"

enum {
    DRIVER = 1,     /* process of the trace; */
    WORKERS = 2,    /* workers follow */
    ZERO_THREAD = 1 /* Perfetto takes thread 0 for something else */
};

/* A file in the making. */
typedef struct trace {
    FILE *out;
    const zn_run_profile *profile;
    uint64_t zero_ns; /* where its time begins */
    bool begun;       /* there is an event */
} trace;

FILE *zn_trace_open(const char *path, zonda_error *error) {
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        zn_file_failed(error, path, "cannot write the trace");
    }
    return file;
}

/* A JSON string; bytes that are no text become question marks. */
static void put_text(FILE *out, const char *text) {
    size_t len = strlen(text);
    fputc('"', out);
    for (size_t at = 0; at < len;) {
        size_t step = zn_text_character((zn_bytes){ (const uint8_t *)text + at, len - at });
        unsigned char byte = (unsigned char)text[at];
        if (step == 0) {
            fputc('?', out);
        } else if (byte < 0x20) {
            fprintf(out, "\\u%04x", byte);
        } else {
            if (byte == '"' || byte == '\\') {
                fputc('\\', out);
            }
            fwrite(text + at, 1, step, out);
        }
        at += step == 0 ? 1 : step;
    }
    fputc('"', out);
}

static void put_us(FILE *out, const char *name, uint64_t ns) {
    fprintf(out, ",\"%s\":%" PRIu64 ".%03" PRIu64, name, ns / 1000, ns % 1000);
}

/* Begins an event, up to its arguments. */
static void begin_event(trace *self, char phase, uint64_t process, uint64_t thread) {
    fprintf(self->out, "%s\n{\"ph\":\"%c\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
            self->begun ? "," : "", phase, process, thread);
    self->begun = true;
}

static void put_name(trace *self, uint64_t process, uint64_t thread, const char *what,
                     const char *name) {
    begin_event(self, 'M', process, thread);
    fprintf(self->out, ",\"name\":\"%s\",\"args\":{\"name\":", what);
    put_text(self->out, name);
    fputs("}}", self->out);
}

static void put_times(trace *self, uint64_t start_ns, uint64_t duration_ns) {
    put_us(self->out, "ts", start_ns - self->zero_ns);
    put_us(self->out, "dur", duration_ns);
}

static const char *name_of_stage(const zn_run_profile *profile, uint64_t stage) {
    return stage < profile->plan->stage_count ? profile->plan->stages[stage].name : "?";
}

/* ---- the driver ---- */

static void put_driver(trace *self) {
    const zn_run_profile *profile = self->profile;
    put_name(self, DRIVER, ZERO_THREAD, "process_name", "driver");
    put_name(self, DRIVER, ZERO_THREAD, "thread_name", "stages");
    begin_event(self, 'X', DRIVER, ZERO_THREAD);
    put_times(self, profile->begin_ns, profile->end_ns - profile->begin_ns);
    fprintf(self->out, ",\"name\":\"job %" PRIu64 "\",\"cat\":\"job\",\"args\":{\"stages\":%zu}}",
            profile->job, profile->plan->stage_count);
    for (size_t i = 0; i < profile->plan->stage_count; i++) {
        const zn_profile_stage *stage = &profile->stages[i];
        if (stage->begin_ns == 0) {
            continue;
        }
        uint64_t end_ns = stage->end_ns != 0 ? stage->end_ns : profile->end_ns;
        begin_event(self, 'X', DRIVER, ZERO_THREAD);
        put_times(self, stage->begin_ns, end_ns - stage->begin_ns);
        fputs(",\"cat\":\"stage\",\"name\":", self->out);
        put_text(self->out, name_of_stage(profile, i));
        fprintf(self->out, ",\"args\":{\"stage\":%zu,\"tasks\":%" PRIu64, i,
                profile->plan->stages[i].task_count);
        for (size_t k = 0; k < ZN_SECTIONS; k++) {
            fprintf(self->out, ",\"%s_us\":%" PRIu64, stage->sections[k].name,
                    stage->sections[k].ns / 1000);
        }
        fputs("}}", self->out);
    }
}

/* ---- workers ---- */

static void put_workers(trace *self) {
    for (size_t i = 0; i < self->profile->worker_count; i++) {
        const zn_profile_worker *worker = &self->profile->workers[i];
        char name[ZN_NAME_BYTES_MAX + 64];
        snprintf(name, sizeof name, "worker %" PRIu64 " (process %" PRIu64 " on %s)", worker->id,
                 worker->pid, worker->host);
        put_name(self, WORKERS + worker->id, ZERO_THREAD, "process_name", name);
        for (uint64_t slot = 0; slot < worker->slots; slot++) {
            snprintf(name, sizeof name, "slot %" PRIu64, slot);
            put_name(self, WORKERS + worker->id, ZERO_THREAD + slot, "thread_name", name);
        }
    }
}

static void put_task(trace *self, const zn_span_info *span) {
    bool several = span->count > 1;
    fprintf(self->out, ",\"cat\":\"task\",\"name\":\"%s %" PRIu64, several ? "tasks" : "task",
            span->first);
    if (several) {
        fprintf(self->out, "–%" PRIu64, span->first + span->count - 1);
    }
    if (span->attempt > 1) {
        fprintf(self->out, ", attempt %" PRIu64, span->attempt);
    }
    fprintf(self->out,
            "\",\"args\":{\"task\":%" PRIu64 ",\"count\":%" PRIu64 ",\"attempt\":%" PRIu64
            ",\"outcome\":",
            span->first, span->count, span->attempt);
    put_text(self->out, zonda_err_name((zonda_err)span->code));
}

static void put_span(trace *self, const zn_span_info *span) {
    static const char *const names[ZN_SPAN_KINDS] = { "task", "fetch", "spill" };
    if (span->kind >= ZN_SPAN_KINDS) {
        return;
    }
    begin_event(self, 'X', WORKERS + span->worker, ZERO_THREAD + span->slot);
    put_times(self, span->start_ns, span->duration_ns);
    if (span->kind == ZN_SPAN_TASK) {
        put_task(self, span);
    } else {
        const char *name = names[span->kind];
        fprintf(self->out,
                ",\"cat\":\"%s\",\"name\":\"%s\",\"args\":{\"task\":%" PRIu64
                ",\"attempt\":%" PRIu64 ",\"bytes\":%" PRIu64,
                name, name, span->first, span->attempt, span->bytes);
    }
    fprintf(self->out, ",\"stage\":%" PRIu64 "}}", span->stage);
}

static uint64_t find_zero(const zn_run_profile *profile) {
    uint64_t zero = profile->begin_ns;
    for (size_t i = 0; i < profile->span_count; i++) {
        zero = profile->spans[i].start_ns < zero ? profile->spans[i].start_ns : zero;
    }
    return zero;
}

zonda_err zn_trace_write(FILE *file, const char *path, const zn_run_profile *profile,
                         zonda_error *error) {
    trace self = { .out = file, .profile = profile, .zero_ns = find_zero(profile) };
    fprintf(file,
            "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":\"zonda %s\",\"job\":%" PRIu64
            ",\"dropped_events\":%" PRIu64 ",\"complete\":%s},\"traceEvents\":[",
            ZONDA_VERSION, profile->job, profile->dropped,
            profile->whole && profile->dropped == 0 ? "true" : "false");
    put_driver(&self);
    put_workers(&self);
    for (size_t i = 0; i < profile->span_count; i++) {
        put_span(&self, &profile->spans[i]);
    }
    fputs("\n]}\n", file);
    bool written = ferror(file) == 0;
    if (fclose(file) != 0 || !written) {
        return zn_file_failed(error, path, "cannot write the trace");
    }
    return ZONDA_OK;
}
