/* SPDX-License-Identifier: MPL-2.0 */
/* What `zonda run --stats` shows: seconds of slots by stage and kind of work. Slots are idle in
 * what is left of their time: nothing was there to run, or the program itself was busy. */
#include "cli/stats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
    COLUMN = 13 /* wide enough for "compressing" */
};

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static double percent(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

/* One row of seconds; returns their sum. */
static uint64_t print_row(const char *where, const uint64_t *ns, size_t count, FILE *out) {
    uint64_t all = 0;
    fprintf(out, "%-6s", where);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " %*.3f", COLUMN, seconds(ns[i]));
        all += ns[i];
    }
    fprintf(out, " %*.3f\n", COLUMN, seconds(all));
    return all;
}

static void print_shares(const uint64_t *ns, size_t count, uint64_t all, FILE *out) {
    fprintf(out, "%-6s", "%");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " %*.1f", COLUMN, percent(ns[i], all));
    }
    fprintf(out, " %*.1f\n", COLUMN, percent(all, all));
}

static void print_head(const zonda_section *sections, size_t count, FILE *out) {
    fprintf(out, "%-6s", "stage");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " %*s", COLUMN, sections[i].name);
    }
    fprintf(out, " %*s\n", COLUMN, "seconds");
}

void zn_stats_print(const zonda_result *result, FILE *out) {
    size_t count = 0;
    const zonda_section *sections = zonda_result_sections(result, 0, &count);
    print_head(sections, count, out);
    uint64_t *sums = zn_calloc(count + 1, sizeof *sums);
    uint64_t *row = zn_calloc(count + 1, sizeof *row);
    for (size_t stage = 0; stage < zonda_result_stage_count(result); stage++) {
        sections = zonda_result_sections(result, stage, &count);
        for (size_t i = 0; i < count; i++) {
            row[i] = sections[i].ns;
            sums[i] += row[i];
        }
        char where[32];
        snprintf(where, sizeof where, "%zu", stage);
        print_row(where, row, count, out);
    }
    uint64_t all = print_row("all", sums, count, out);
    print_shares(sums, count, all, out);
    uint64_t elapsed = zonda_result_elapsed_ns(result);
    uint64_t slots = zonda_result_slots(result);
    fprintf(out, "%.3f s on %" PRIu64 " slots, %.3f s of slots: %.1f %% in stages, the rest idle\n",
            seconds(elapsed), slots, seconds(elapsed * slots), percent(all, elapsed * slots));
    free(sums);
    free(row);
}
