/* SPDX-License-Identifier: MPL-2.0 */
/* The C face of the conformance suite: reads one description of a case per line (JSON), builds its
 * dataset through the public functions, executes it, and answers with one line (JSON): the error
 * code and text, the records as JSONL, the counters.
 *
 *     conformance_runner local:WORKERS | ENDPOINT
 *
 * One cluster serves all cases, as in a driver program with many executions; only a case with
 * shared data gets one of its own, because what is put stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "chain.h"
#include "functions.h"
#include "record/json.h"
#include "record/value.h"

/* What an execution gave. */
typedef struct outcome {
    zonda_error error;
    zn_buf lines; /* records as JSONL, or the plan */
    zn_buf counters;
    uint32_t counter_count;
} outcome;

static zonda_cluster *open_cluster(const char *where) {
    zonda_error error = { 0 };
    zonda_cluster *cluster = NULL;
    if (strncmp(where, "local:", 6) == 0) {
        zonda_local_options options = { .slots = 1, .workers = (uint32_t)atoi(where + 6) };
        cluster = zonda_cluster_open_local(&options, &error);
    } else {
        cluster = zonda_cluster_connect(where, NULL, &error);
    }
    if (cluster == NULL) {
        chain_give_up("%s: %s", where, error.text);
    }
    return cluster;
}

static bool get_flag(zn_bytes request, const char *name) {
    bool value = false;
    return zn_value_field_bool(request, name, &value) && value;
}

static void put_shared(zonda_cluster *cluster, zn_bytes shared, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(shared);
    uint32_t count = zn_cursor_read(&cursor).count;
    for (uint32_t i = 0; i < count && error->code == ZONDA_OK; i++) {
        zn_bytes name = zn_value_head(zn_cursor_skip(&cursor)).bytes;
        zn_bytes value = zn_cursor_skip(&cursor);
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.data);
        (void)zonda_cluster_put(cluster, text, value.data, value.len, error);
    }
}

static zonda_err add_line(zn_buf *lines, zn_bytes record, zonda_error *error) {
    zonda_err err = zn_json_write(record, lines, error);
    if (err == ZONDA_OK) {
        zn_buf_append_byte(lines, '\n');
    }
    return err;
}

static zonda_err on_record(void *context, const void *record, size_t bytes) {
    outcome *out = context;
    return add_line(&out->lines, (zn_bytes){ record, bytes }, &out->error);
}

static void read_records(zonda_result *result, outcome *out) {
    bool got = true;
    while (got && out->error.code == ZONDA_OK) {
        const void *record = NULL;
        size_t bytes = 0;
        if (zonda_result_next(result, &record, &bytes, &got, &out->error) == ZONDA_OK && got) {
            (void)add_line(&out->lines, (zn_bytes){ record, bytes }, &out->error);
        }
    }
}

/* name: [sum, min, max, count] */
static void keep_counters(const zonda_result *result, outcome *out) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    for (size_t i = 0; i < count; i++) {
        zn_put_text(&out->counters, counters[i].name);
        zn_put_array(&out->counters, 4);
        zn_put_int(&out->counters, counters[i].sum);
        zn_put_int(&out->counters, counters[i].min);
        zn_put_int(&out->counters, counters[i].max);
        zn_put_uint(&out->counters, counters[i].count);
    }
    out->counter_count = (uint32_t)count;
}

static void execute(zonda_cluster *cluster, const zonda_dataset *dataset, bool stream,
                    outcome *out) {
    zonda_execute_options options = { .name = "conformance" };
    if (stream) {
        options.on_record = on_record;
        options.context = out;
    }
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(cluster, dataset, &options, &error);
    if (result == NULL) {
        out->error = out->error.code == ZONDA_OK ? error : out->error;
        return;
    }
    read_records(result, out);
    keep_counters(result, out);
    zonda_result_destroy(&result);
}

static void explain(const zonda_dataset *dataset, outcome *out) {
    char *text = zonda_dataset_explain(dataset, &out->error);
    if (text != NULL) {
        zn_buf_append_text(&out->lines, text);
    }
    free(text);
}

static void print_outcome(const outcome *out) {
    char text[4096];
    zonda_error_format(&out->error, text, sizeof text);
    zn_buf answer = { 0 };
    zn_put_map(&answer, 4);
    zn_put_text(&answer, "code");
    zn_put_text(&answer, zonda_err_name(out->error.code));
    zn_put_text(&answer, "text");
    zn_put_text(&answer, text);
    zn_put_text(&answer, "lines");
    zn_put_string(&answer, zn_buf_bytes(&out->lines));
    zn_put_text(&answer, "counters");
    zn_put_map(&answer, out->counter_count);
    zn_buf_append(&answer, out->counters.data, out->counters.len);
    zn_buf line = { 0 };
    zonda_error error = { 0 };
    if (add_line(&line, zn_buf_bytes(&answer), &error) != ZONDA_OK) {
        chain_give_up("the answer cannot be written: %s", error.text);
    }
    fwrite(line.data, 1, line.len, stdout);
    fflush(stdout);
    zn_buf_free(&line);
    zn_buf_free(&answer);
}

static void run_case(zonda_cluster *cluster, const char *where, zn_bytes request) {
    outcome out = { 0 };
    zn_bytes steps;
    zn_bytes shared;
    if (!zn_value_field(request, zn_bytes_of_text("steps"), &steps)) {
        chain_give_up("a case has no steps");
    }
    zonda_dataset *dataset = chain_build(steps);
    zonda_cluster *own = NULL;
    if (zn_value_field(request, zn_bytes_of_text("shared"), &shared)) {
        own = open_cluster(where);
        put_shared(own, shared, &out.error);
    }
    if (get_flag(request, "explain")) {
        explain(dataset, &out);
    } else if (out.error.code == ZONDA_OK) {
        execute(own != NULL ? own : cluster, dataset, get_flag(request, "stream"), &out);
    }
    zonda_cluster_close(&own);
    zonda_dataset_destroy(&dataset);
    print_outcome(&out);
    zn_buf_free(&out.lines);
    zn_buf_free(&out.counters);
}

int main(int argc, char **argv) {
    zonda_error error = { 0 };
    if (argc != 2 || functions_register(&error) != ZONDA_OK) {
        chain_give_up("usage: conformance_runner local:WORKERS | ENDPOINT");
    }
    zonda_cluster *cluster = open_cluster(argv[1]);
    zn_json_reader *reader = zn_json_reader_new();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    while ((length = getline(&line, &capacity, stdin)) > 1) {
        zn_buf request = { 0 };
        zn_bytes text = { (const uint8_t *)line, (size_t)length - 1 };
        if (zn_json_read(reader, text, &request, &error) != ZONDA_OK) {
            chain_give_up("a line is not JSON: %s", error.text);
        }
        run_case(cluster, argv[1], zn_buf_bytes(&request));
        zn_buf_free(&request);
    }
    free(line);
    zn_json_reader_destroy(&reader);
    zonda_cluster_close(&cluster);
    return 0;
}
