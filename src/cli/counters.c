/* SPDX-License-Identifier: MPL-2.0 */
/* What a job has counted, as a table for people and as MessagePack values that become JSON. */
#include "cli/counters.h"

#include <string.h>

#include "record/value.h"

void zn_counters_put(zn_buf *out, const zonda_counter *counters, size_t count) {
    zn_put_map(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        zn_put_text(out, counters[i].name);
        zn_put_map(out, 5);
        zn_put_text(out, "sum");
        zn_put_int(out, counters[i].sum);
        zn_put_text(out, "min");
        zn_put_int(out, counters[i].min);
        zn_put_text(out, "max");
        zn_put_int(out, counters[i].max);
        zn_put_text(out, "mean");
        zn_put_double(out, zonda_counter_mean(&counters[i]));
        zn_put_text(out, "count");
        zn_put_uint(out, counters[i].count);
    }
}

void zn_counters_put_stages(zn_buf *out, const zonda_result *result) {
    size_t stages = zonda_result_stage_count(result);
    zn_put_array(out, (uint32_t)stages);
    for (size_t i = 0; i < stages; i++) {
        size_t count = 0;
        const zonda_counter *counters = zonda_result_stage_counters(result, i, &count);
        zn_put_map(out, 3);
        zn_put_text(out, "stage");
        zn_put_uint(out, i);
        zn_put_text(out, "name");
        zn_put_text(out, zonda_result_stage_name(result, i));
        zn_put_text(out, "counters");
        zn_counters_put(out, counters, count);
    }
}

static int widest_name(const zonda_result *result) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    size_t widest = strlen("counter");
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(counters[i].name);
        widest = len > widest ? len : widest;
    }
    return (int)widest;
}

static void print_lines(const char *where, const zonda_counter *counters, size_t count, int width,
                        FILE *out) {
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-6s %-*s %15lld %15lld %15lld %15.6g\n", where, width, counters[i].name,
                (long long)counters[i].sum, (long long)counters[i].min, (long long)counters[i].max,
                zonda_counter_mean(&counters[i]));
    }
}

void zn_counters_print(const zonda_result *result, FILE *out) {
    int width = widest_name(result);
    size_t stages = zonda_result_stage_count(result);
    size_t count = 0;
    const zonda_counter *counters = NULL;
    fprintf(out, "%-6s %-*s %15s %15s %15s %15s\n", "stage", width, "counter", "sum", "min", "max",
            "mean");
    for (size_t i = 0; i < stages; i++) {
        char where[32];
        snprintf(where, sizeof where, "%zu", i);
        counters = zonda_result_stage_counters(result, i, &count);
        print_lines(where, counters, count, width, out);
    }
    counters = zonda_result_counters(result, &count);
    print_lines("all", counters, count, width, out);
}
