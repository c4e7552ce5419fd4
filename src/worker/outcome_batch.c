/* SPDX-License-Identifier: MPL-2.0 */
/* What makes small tasks cheap to report: a slot collects the outcomes of a few milliseconds, the
 * worker those of all its slots, and a run of tasks of which nothing but numbers is to be told, and
 * the same numbers of each, is one outcome with a count. */
#include "worker/outcome_batch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"

enum {
    OUTCOME_BYTES = 48, /* about what the numbers of one take */
    PART_BYTES = 12
};

static void copy_counters(zn_arena *arena, zn_outcome *outcome) {
    size_t count = outcome->counters_count;
    zn_counter *copies = count == 0 ? NULL : zn_arena_take(arena, count * sizeof *copies);
    for (size_t i = 0; i < count; i++) {
        copies[i] = outcome->counters[i];
        copies[i].name = zn_arena_copy(arena, copies[i].name);
    }
    outcome->counters = copies;
}

static void copy_failure(zn_arena *arena, zn_outcome *outcome) {
    zn_failure *copy = NULL;
    if (outcome->failure_count > 0) {
        copy = zn_arena_take(arena, sizeof *copy);
        *copy = outcome->failure[0];
        copy->op = zn_arena_copy(arena, copy->op);
        copy->file = zn_arena_copy(arena, copy->file);
        copy->text = zn_arena_copy(arena, copy->text);
        copy->traceback = zn_arena_copy(arena, copy->traceback);
        outcome->failure_count = 1;
    }
    outcome->failure = copy;
}

static void copy_reference(zn_arena *arena, zn_outcome *outcome) {
    zn_reference *copy = NULL;
    if (outcome->reference_count > 0) {
        copy = zn_arena_take(arena, sizeof *copy);
        *copy = outcome->reference[0];
        copy->segment = zn_arena_copy(arena, copy->segment);
        outcome->reference_count = 1;
    }
    outcome->reference = copy;
}

static void copy_parts(zn_arena *arena, zn_outcome *outcome) {
    size_t count = outcome->parts_count;
    zn_part *copies = count == 0 ? NULL : zn_arena_take(arena, count * sizeof *copies);
    for (size_t i = 0; i < count; i++) {
        copies[i] = outcome->parts[i];
    }
    outcome->parts = copies;
}

zn_outcome zn_outcome_copy(zn_arena *arena, const zn_outcome *outcome) {
    zn_outcome copy = *outcome;
    copy.records = zn_arena_copy(arena, outcome->records);
    copy_counters(arena, &copy);
    copy_failure(arena, &copy);
    copy_reference(arena, &copy);
    copy_parts(arena, &copy);
    return copy;
}

static bool is_plain(const zn_outcome *outcome) {
    return outcome->counters_count == 0 && outcome->records.len == 0 &&
           outcome->reference_count == 0 && outcome->failure_count == 0;
}

static bool continues(const zn_outcome *last, const zn_outcome *next) {
    return is_plain(last) && is_plain(next) && last->attempt == next->attempt &&
           last->first + last->count == next->first && last->records_in == next->records_in &&
           last->records_out == next->records_out && last->bytes_in == next->bytes_in &&
           last->bytes_out == next->bytes_out;
}

static size_t measure(const zn_outcome *outcome) {
    size_t bytes = OUTCOME_BYTES + outcome->records.len;
    for (size_t i = 0; i < outcome->counters_count; i++) {
        bytes += OUTCOME_BYTES + outcome->counters[i].name.len;
    }
    if (outcome->failure_count > 0) {
        const zn_failure *failure = &outcome->failure[0];
        bytes += OUTCOME_BYTES + failure->op.len + failure->file.len + failure->text.len +
                 failure->traceback.len;
    }
    if (outcome->reference_count > 0) {
        bytes +=
            OUTCOME_BYTES + outcome->reference[0].segment.len + outcome->parts_count * PART_BYTES;
    }
    return bytes;
}

void zn_outcome_batch_add(zn_outcome_batch *batch, const zn_outcome *outcome) {
    if (batch->count > 0 && continues(&batch->items[batch->count - 1], outcome)) {
        batch->items[batch->count - 1].count += outcome->count;
        return;
    }
    ZN_GROW(batch->items, batch->count, batch->capacity);
    batch->items[batch->count++] = zn_outcome_copy(&batch->arena, outcome);
    batch->bytes += measure(outcome);
}

bool zn_outcome_batch_is_full(const zn_outcome_batch *batch) {
    return batch->bytes >= ZN_BATCH_BYTES || batch->count >= ZN_OUTCOMES_MAX;
}

void zn_outcome_batch_reset(zn_outcome_batch *batch) {
    batch->count = 0;
    batch->bytes = 0;
    zn_arena_reset(&batch->arena);
}

void zn_outcome_batch_free(zn_outcome_batch *batch) {
    zn_arena_free(&batch->arena);
    free(batch->items);
    *batch = (zn_outcome_batch){ 0 };
}
