/* SPDX-License-Identifier: MPL-2.0 */
/* The waiting tasks of one stage. `runs[head … head + count)` are the waiting runs; taking moves
 * the head, and the array is moved down when it would otherwise grow. `tasks` is the sum of the
 * counts, always. */
#include "worker/run_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static void make_room(zn_run_queue *queue) {
    if (queue->head > 0 && queue->head + queue->count == queue->capacity) {
        memmove(queue->runs, queue->runs + queue->head, queue->count * sizeof *queue->runs);
        queue->head = 0;
    }
    ZN_GROW(queue->runs, queue->head + queue->count, queue->capacity);
}

void zn_run_queue_append(zn_run_queue *queue, zn_run run) {
    queue->tasks += run.count;
    zn_run *last = queue->count == 0 ? NULL : &queue->runs[queue->head + queue->count - 1];
    if (last != NULL && last->attempt == run.attempt && last->first + last->count == run.first) {
        last->count += run.count;
        return;
    }
    make_room(queue);
    queue->runs[queue->head + queue->count++] = run;
}

void zn_run_queue_prepend(zn_run_queue *queue, zn_run run) {
    queue->tasks += run.count;
    zn_run *first = queue->count == 0 ? NULL : &queue->runs[queue->head];
    if (first != NULL && first->attempt == run.attempt && run.first + run.count == first->first) {
        first->first = run.first;
        first->count += run.count;
        return;
    }
    if (queue->head == 0) {
        make_room(queue);
        memmove(queue->runs + 1, queue->runs, queue->count * sizeof *queue->runs);
    } else {
        queue->head -= 1;
    }
    queue->count += 1;
    queue->runs[queue->head] = run;
}

zn_run zn_run_queue_take(zn_run_queue *queue, uint64_t tasks_max) {
    ZN_ASSERT(queue->count > 0 && tasks_max > 0);
    zn_run *first = &queue->runs[queue->head];
    zn_run taken = *first;
    if (taken.count > tasks_max) {
        taken.count = tasks_max;
        first->first += tasks_max;
        first->count -= tasks_max;
    } else {
        queue->head += 1;
        queue->count -= 1;
    }
    queue->tasks -= taken.count;
    if (queue->count == 0) {
        queue->head = 0;
    }
    return taken;
}

/* Adds what is left of a waiting run when `run` is taken out of it. */
static void keep_rest(zn_run_queue *kept, zn_run waiting, zn_run run) {
    uint64_t end = waiting.first + waiting.count;
    uint64_t run_end = run.first + run.count;
    bool apart = waiting.attempt != run.attempt || run.first >= end || run_end <= waiting.first;
    if (apart) {
        zn_run_queue_append(kept, waiting);
        return;
    }
    if (run.first > waiting.first) {
        zn_run before = waiting;
        before.count = run.first - waiting.first;
        zn_run_queue_append(kept, before);
    }
    if (run_end < end) {
        zn_run behind = { .first = run_end, .count = end - run_end, .attempt = waiting.attempt };
        zn_run_queue_append(kept, behind);
    }
}

uint64_t zn_run_queue_remove(zn_run_queue *queue, zn_run run) {
    zn_run_queue kept = { 0 };
    for (size_t i = 0; i < queue->count; i++) {
        keep_rest(&kept, queue->runs[queue->head + i], run);
    }
    uint64_t removed = queue->tasks - kept.tasks;
    zn_run_queue_free(queue);
    *queue = kept;
    return removed;
}

void zn_run_queue_clear(zn_run_queue *queue) {
    queue->head = 0;
    queue->count = 0;
    queue->tasks = 0;
}

void zn_run_queue_free(zn_run_queue *queue) {
    free(queue->runs);
    *queue = (zn_run_queue){ 0 };
}
