/* SPDX-License-Identifier: MPL-2.0 */
/* Sets of tasks as runs, in chunks of sorted runs under one sorted list of chunks: the scheduler
 * keeps pending, held and completed tasks in them, so that tasks which nothing distinguishes cost
 * nothing. A flat array would be simpler, but moving its tail for every result that comes out of
 * order is quadratic in large stages; a chunk moves at most ZN_CHUNK_RUNS.
 *
 * Invariants: no chunk is empty; runs are disjoint and ascending over all chunks; two runs that
 * touch have different values; run_count and task_count are the sums over all runs. */
#include "coordinator/task_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum {
    ZN_CHUNK_RUNS = 128,
    ZN_CHUNK_RUNS_FIRST = 4,
    ZN_CHUNK_RUNS_FEW = ZN_CHUNK_RUNS / 4
};

struct zn_task_chunk {
    uint32_t count;
    uint32_t capacity;
    uint32_t found; /* in the first chunk: the number of the one that was looked for last */
    uint32_t near;  /* where the last search in this chunk ended */
    zn_task_run runs[];
};

/* Where a run is, or would be inserted. */
typedef struct place {
    size_t chunk;
    size_t index;
} place;

static uint32_t end_of(zn_task_run run) {
    return run.first + run.count;
}

static zn_task_run *run_at(const zn_task_set *set, place at) {
    if (at.chunk >= set->chunk_count || at.index >= set->chunks[at.chunk]->count) {
        return NULL;
    }
    return &set->chunks[at.chunk]->runs[at.index];
}

static bool starts_behind(const zn_task_set *set, size_t chunk, uint32_t task) {
    return chunk == set->chunk_count || set->chunks[chunk]->runs[0].first > task;
}

/* Whether `chunk` is the last one that starts at or before `task`, or the first if none does. */
static bool is_chunk_of(const zn_task_set *set, size_t chunk, uint32_t task) {
    return chunk < set->chunk_count && (chunk == 0 || !starts_behind(set, chunk, task)) &&
           starts_behind(set, chunk + 1, task);
}

/* Finds that one. Most tasks lie in the chunk of the one before or in the next, so these are tried
 * first. Like the search below it halves without a branch that depends on what it finds, which the
 * processor would guess wrong. */
static size_t find_chunk(const zn_task_set *set, uint32_t task) {
    size_t low = set->chunks[0]->found;
    if (is_chunk_of(set, low, task)) {
        return low;
    }
    if (is_chunk_of(set, ++low, task)) {
        set->chunks[0]->found = (uint32_t)low;
        return low;
    }
    low = 0;
    for (size_t count = set->chunk_count; count > 1; count -= count / 2) {
        low += starts_behind(set, low + count / 2, task) ? 0 : count / 2;
    }
    set->chunks[0]->found = (uint32_t)low;
    return low;
}

/* Whether so many runs of the chunk, and no more, end at or before `task`. */
static bool is_count_before(const zn_task_chunk *chunk, size_t count, uint32_t task) {
    return count <= chunk->count && (count == 0 || end_of(chunk->runs[count - 1]) <= task) &&
           (count == chunk->count || end_of(chunk->runs[count]) > task);
}

static size_t search_before(const zn_task_chunk *chunk, uint32_t task) {
    size_t low = 0;
    size_t count = chunk->count;
    for (; count > 1; count -= count / 2) {
        bool before = end_of(chunk->runs[low + count / 2 - 1]) <= task;
        low += before ? count / 2 : 0;
    }
    return low + (count == 1 && end_of(chunk->runs[low]) <= task ? 1 : 0);
}

/* How many runs of the chunk end at or before `task`: mostly as many as the last time, or one more.
 */
static size_t count_before(zn_task_chunk *chunk, uint32_t task) {
    if (is_count_before(chunk, chunk->near, task)) {
        return chunk->near;
    }
    bool next = is_count_before(chunk, (size_t)chunk->near + 1, task);
    size_t count = next ? (size_t)chunk->near + 1 : search_before(chunk, task);
    chunk->near = (uint32_t)count;
    return count;
}

/* The place of the first run that ends behind `task`. If all runs end before, the place is behind
 * the last run. */
static place find_place(const zn_task_set *set, uint32_t task) {
    if (set->chunk_count == 0) {
        return (place){ 0, 0 };
    }
    place at = { .chunk = find_chunk(set, task) };
    at.index = count_before(set->chunks[at.chunk], task);
    if (at.index == set->chunks[at.chunk]->count && at.chunk + 1 < set->chunk_count) {
        at = (place){ .chunk = at.chunk + 1 };
    }
    return at;
}

static zn_task_run *run_before(const zn_task_set *set, place at) {
    if (at.index > 0) {
        return &set->chunks[at.chunk]->runs[at.index - 1];
    }
    if (at.chunk == 0) {
        return NULL;
    }
    zn_task_chunk *chunk = set->chunks[at.chunk - 1];
    return &chunk->runs[chunk->count - 1];
}

static zn_task_chunk *add_chunk(zn_task_set *set, size_t index, uint32_t capacity) {
    ZN_GROW(set->chunks, set->chunk_count, set->chunk_capacity);
    memmove(&set->chunks[index + 1], &set->chunks[index],
            (set->chunk_count - index) * sizeof(set->chunks[0]));
    zn_task_chunk *chunk = zn_alloc(sizeof(zn_task_chunk) + capacity * sizeof(zn_task_run));
    *chunk = (zn_task_chunk){ .capacity = capacity };
    set->chunks[index] = chunk;
    set->chunk_count++;
    return chunk;
}

static void remove_chunk(zn_task_set *set, size_t index) {
    free(set->chunks[index]);
    memmove(&set->chunks[index], &set->chunks[index + 1],
            (set->chunk_count - index - 1) * sizeof(set->chunks[0]));
    set->chunk_count--;
}

/* Makes room for one run at the place and returns where it then is. */
static place make_room(zn_task_set *set, place at) {
    if (set->chunk_count == 0) {
        add_chunk(set, 0, ZN_CHUNK_RUNS_FIRST);
        return at;
    }
    zn_task_chunk *chunk = set->chunks[at.chunk];
    if (chunk->count < chunk->capacity) {
        return at;
    }
    if (chunk->capacity < ZN_CHUNK_RUNS) {
        chunk = zn_realloc(chunk, 1, sizeof(*chunk) + 2 * chunk->capacity * sizeof(zn_task_run));
        chunk->capacity *= 2;
        set->chunks[at.chunk] = chunk;
        return at;
    }
    zn_task_chunk *next = add_chunk(set, at.chunk + 1, ZN_CHUNK_RUNS);
    if (at.index == chunk->count) {
        return (place){ .chunk = at.chunk + 1 }; /* growing in order leaves full chunks behind */
    }
    uint32_t keep = chunk->count / 2;
    next->count = chunk->count - keep;
    memcpy(next->runs, &chunk->runs[keep], next->count * sizeof(zn_task_run));
    chunk->count = keep;
    return at.index <= keep ? at : (place){ .chunk = at.chunk + 1, .index = at.index - keep };
}

static void insert_run(zn_task_set *set, place at, zn_task_run run) {
    at = make_room(set, at);
    zn_task_chunk *chunk = set->chunks[at.chunk];
    memmove(&chunk->runs[at.index + 1], &chunk->runs[at.index],
            (chunk->count - at.index) * sizeof(zn_task_run));
    chunk->runs[at.index] = run;
    chunk->count++;
    set->run_count++;
}

/* Joins a chunk with its successor if both fit into it. */
static void join_with_next(zn_task_set *set, size_t index) {
    if (index + 1 >= set->chunk_count) {
        return;
    }
    zn_task_chunk *chunk = set->chunks[index];
    zn_task_chunk *next = set->chunks[index + 1];
    if (chunk->count + next->count > chunk->capacity) {
        return;
    }
    memcpy(&chunk->runs[chunk->count], next->runs, next->count * sizeof(zn_task_run));
    chunk->count += next->count;
    remove_chunk(set, index + 1);
}

/* Joins a chunk that has become small with its neighbours, so that removing scattered runs gives
 * memory back. */
static void join_small_chunk(zn_task_set *set, size_t index) {
    if (set->chunks[index]->count < ZN_CHUNK_RUNS_FEW) {
        join_with_next(set, index);
        if (index > 0) {
            join_with_next(set, index - 1);
        }
    }
}

static void delete_run(zn_task_set *set, place at) {
    zn_task_chunk *chunk = set->chunks[at.chunk];
    memmove(&chunk->runs[at.index], &chunk->runs[at.index + 1],
            (chunk->count - at.index - 1) * sizeof(zn_task_run));
    chunk->count--;
    set->run_count--;
    if (chunk->count == 0) {
        remove_chunk(set, at.chunk);
    } else {
        join_small_chunk(set, at.chunk);
    }
}

void zn_task_set_insert(zn_task_set *set, zn_task_run run) {
    ZN_ASSERT(run.count > 0);
    place at = find_place(set, run.first);
    zn_task_run *after = run_at(set, at);
    zn_task_run *before = run_before(set, at);
    ZN_ASSERT(after == NULL || after->first >= end_of(run));
    bool joins_before =
        before != NULL && end_of(*before) == run.first && before->value == run.value;
    bool joins_after = after != NULL && after->first == end_of(run) && after->value == run.value;
    set->task_count += run.count;
    if (joins_before && joins_after) {
        before->count += run.count + after->count;
        delete_run(set, at);
    } else if (joins_before) {
        before->count += run.count;
    } else if (joins_after) {
        after->first = run.first;
        after->count += run.count;
    } else {
        insert_run(set, at, run);
    }
}

/* Removes tasks from one run, which must contain the first of them; returns how many. */
static uint32_t remove_part(zn_task_set *set, uint32_t first, uint32_t count) {
    place at = find_place(set, first);
    zn_task_run *run = run_at(set, at);
    ZN_ASSERT(run != NULL && run->first <= first);
    uint32_t behind = end_of(*run) - first;
    uint32_t removed = count < behind ? count : behind;
    zn_task_run rest = { first + removed, behind - removed, run->value };
    set->task_count -= removed;
    if (run->first < first) {
        run->count = first - run->first;
        if (rest.count > 0) {
            at.index++;
            insert_run(set, at, rest);
        }
    } else if (rest.count > 0) {
        *run = rest;
    } else {
        delete_run(set, at);
    }
    return removed;
}

void zn_task_set_remove(zn_task_set *set, uint32_t first, uint32_t count) {
    while (count > 0) {
        uint32_t removed = remove_part(set, first, count);
        first += removed;
        count -= removed;
    }
}

bool zn_task_set_next(const zn_task_set *set, uint32_t task, zn_task_run *out) {
    const zn_task_run *run = run_at(set, find_place(set, task));
    if (run == NULL) {
        return false;
    }
    *out = *run;
    if (run->first < task) {
        out->first = task;
        out->count = end_of(*run) - task;
    }
    return true;
}

bool zn_task_set_get(const zn_task_set *set, uint32_t task, uint64_t *value) {
    const zn_task_run *run = run_at(set, find_place(set, task));
    if (run == NULL || run->first > task) {
        return false;
    }
    if (value != NULL) {
        *value = run->value;
    }
    return true;
}

void zn_task_set_around(const zn_task_set *set, uint32_t first, uint32_t count, uint64_t *before,
                        uint64_t *after) {
    place at = find_place(set, first);
    const zn_task_run *behind = run_at(set, at);
    const zn_task_run *ahead = run_before(set, at);
    *before = ahead != NULL && end_of(*ahead) == first ? ahead->value : 0;
    *after = behind != NULL && behind->first == first + count ? behind->value : 0;
}

bool zn_task_set_pop(zn_task_set *set, uint32_t count_max, zn_task_run *out) {
    if (set->chunk_count == 0 || count_max == 0) {
        return false;
    }
    zn_task_run run = set->chunks[0]->runs[0];
    run.count = run.count < count_max ? run.count : count_max;
    remove_part(set, run.first, run.count);
    *out = run;
    return true;
}

void zn_task_set_free(zn_task_set *set) {
    for (size_t i = 0; i < set->chunk_count; i++) {
        free(set->chunks[i]);
    }
    free(set->chunks);
    *set = (zn_task_set){ 0 };
}
