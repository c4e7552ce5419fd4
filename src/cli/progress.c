/* SPDX-License-Identifier: MPL-2.0 */
/* Progress on standard error: a live line on a terminal, a line every few seconds elsewhere,
 * JSON objects for machines, or nothing. Never on standard output, which belongs to the records. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/counters.h"
#include "record/json.h"
#include "record/value.h"

#define LIVE_NS (200 * ZN_NS_PER_MS)
#define PLAIN_NS (5 * ZN_NS_PER_S)

void zn_progress_start(zn_progress_display *display, zn_progress_mode mode, const char *name) {
    uint64_t now = zn_clock_ns();
    *display = (zn_progress_display){
        .mode = mode,
        .name = name,
        .terminal = isatty(STDERR_FILENO) == 1,
        .started_ns = now,
        .shown_ns = now,
    };
}

/* A number for people: 950, 12.3k, 4.5M. */
static const char *human(uint64_t value, char *out, size_t size) {
    static const char units[] = { 'k', 'M', 'G', 'T' };
    if (value < 10000) {
        snprintf(out, size, "%llu", (unsigned long long)value);
        return out;
    }
    double scaled = (double)value;
    size_t unit = 0;
    scaled /= 1000;
    while (scaled >= 1000 && unit + 1 < sizeof units) {
        scaled /= 1000;
        unit++;
    }
    snprintf(out, size, "%.1f%c", scaled, units[unit]);
    return out;
}

static double seconds_since(uint64_t start_ns) {
    return (double)(zn_clock_ns() - start_ns) / (double)ZN_NS_PER_S;
}

/* What a line begins with, so that `zonda explain` knows what to ask for. */
static void show_job(uint64_t job) {
    if (job != 0) {
        fprintf(stderr, "job %llu ", (unsigned long long)job);
    }
}

static void show_line(const zn_progress_display *display, const zonda_progress *progress,
                      const char *before, const char *after) {
    char in[32];
    char bytes[32];
    fputs(before, stderr);
    show_job(progress->job);
    fprintf(stderr, "stage %u/%u %s: %llu/%llu tasks, %s records, %sB in, %llu workers, %.1f s",
            progress->stage + 1, progress->stage_count, progress->stage_name,
            (unsigned long long)progress->completed, (unsigned long long)progress->total,
            human(progress->records_in, in, sizeof in),
            human(progress->bytes_in, bytes, sizeof bytes), (unsigned long long)progress->workers,
            seconds_since(display->started_ns));
    if (progress->retries > 0) {
        fprintf(stderr, ", %llu retries", (unsigned long long)progress->retries);
    }
    if (progress->workers == 0) {
        fputs(" (waiting for a worker)", stderr);
    }
    fputs(after, stderr);
    fflush(stderr);
}

/* One JSON object on a line; names and texts go through the JSON writer, so quoting is right. */
static void print_json(const zn_buf *record) {
    zn_buf text = { 0 };
    if (zn_json_write(zn_buf_bytes(record), &text, NULL) == ZONDA_OK) {
        fprintf(stderr, "%.*s\n", (int)text.len, (const char *)text.data);
    }
    zn_buf_free(&text);
}

static void show_json(const zonda_progress *progress) {
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        { "job", progress->job },
        { "stage", progress->stage },
        { "stages", progress->stage_count },
        { "total", progress->total },
        { "completed", progress->completed },
        { "running", progress->running },
        { "retries", progress->retries },
        { "workers", progress->workers },
        { "records_in", progress->records_in },
        { "records_out", progress->records_out },
        { "bytes_in", progress->bytes_in },
        { "bytes_out", progress->bytes_out },
    };
    enum {
        COUNT = sizeof fields / sizeof *fields
    };
    zn_buf record = { 0 };
    zn_put_map(&record, COUNT + 2);
    zn_put_text(&record, "event");
    zn_put_text(&record, "progress");
    zn_put_text(&record, "name");
    zn_put_text(&record, progress->stage_name);
    for (size_t i = 0; i < COUNT; i++) {
        zn_put_text(&record, fields[i].name);
        zn_put_uint(&record, fields[i].value);
    }
    print_json(&record);
    zn_buf_free(&record);
}

/* Says once where a job that was there before goes on: at its first stage that is not complete. */
static void tell_resumed(zn_progress_display *display, const zonda_progress *progress) {
    bool last = progress->stage + 1 == progress->stage_count;
    if (!progress->resumed || display->told || display->mode == ZN_PROGRESS_QUIET ||
        (progress->completed == progress->total && !last)) {
        return;
    }
    display->told = true;
    if (display->mode == ZN_PROGRESS_JSON) {
        zn_buf record = { 0 };
        zn_put_map(&record, 4);
        zn_put_text(&record, "event");
        zn_put_text(&record, "resumed");
        zn_put_text(&record, "job");
        zn_put_uint(&record, progress->job);
        zn_put_text(&record, "stage");
        zn_put_uint(&record, progress->stage);
        zn_put_text(&record, "stages");
        zn_put_uint(&record, progress->stage_count);
        print_json(&record);
        zn_buf_free(&record);
        return;
    }
    zn_progress_clear(display);
    fprintf(stderr, "zonda: job %s goes on: stage %u of %u\n",
            display->name != NULL ? display->name : "", progress->stage + 1, progress->stage_count);
}

void zn_progress_update(zn_progress_display *display, const zonda_progress *progress) {
    uint64_t now = zn_clock_ns();
    tell_resumed(display, progress);
    bool live = display->mode == ZN_PROGRESS_AUTO && display->terminal;
    display->last = *progress;
    display->last.stage_name = NULL;
    if (display->mode == ZN_PROGRESS_QUIET ||
        now - display->shown_ns < (live ? LIVE_NS : PLAIN_NS)) {
        return;
    }
    display->shown_ns = now;
    if (display->mode == ZN_PROGRESS_JSON) {
        show_json(progress);
    } else if (live) {
        show_line(display, progress, "\r", "\033[K");
        display->line_open = true;
    } else {
        show_line(display, progress, "zonda: ", "\n");
    }
}

void zn_progress_clear(zn_progress_display *display) {
    if (display->line_open) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        display->line_open = false;
    }
}

static int64_t counter_sum(const zonda_counter *counters, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return counters[i].sum;
        }
    }
    return 0;
}

static void finish_json(const zonda_result *result, double seconds) {
    zn_buf record = { 0 };
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    zn_put_map(&record, 5);
    zn_put_text(&record, "event");
    zn_put_text(&record, "done");
    zn_put_text(&record, "job");
    zn_put_uint(&record, zonda_result_job(result));
    zn_put_text(&record, "seconds");
    zn_put_double(&record, seconds);
    zn_put_text(&record, "counters");
    zn_counters_put(&record, counters, count);
    zn_put_text(&record, "stages");
    zn_counters_put_stages(&record, result);
    print_json(&record);
    zn_buf_free(&record);
}

void zn_progress_finish(zn_progress_display *display, const zonda_result *result) {
    size_t count = 0;
    size_t first_count = 0;
    /* Later stages read what earlier ones gave: only the first has read records from outside. */
    const zonda_counter *first = zonda_result_stage_counters(result, 0, &first_count);
    const zonda_counter *counters = zonda_result_counters(result, &count);
    double seconds = seconds_since(display->started_ns);
    zn_progress_clear(display);
    if (display->mode == ZN_PROGRESS_JSON) {
        finish_json(result, seconds);
    } else if (display->mode == ZN_PROGRESS_AUTO) {
        char in[32];
        fputs("zonda: ", stderr);
        show_job(zonda_result_job(result));
        fprintf(stderr, "done in %.2f s: %lld tasks, %s records read\n", seconds,
                (long long)counter_sum(counters, count, "tasks"),
                human((uint64_t)counter_sum(first, first_count, "records_in"), in, sizeof in));
    }
}
