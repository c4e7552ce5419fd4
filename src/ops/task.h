/* SPDX-License-Identifier: MPL-2.0 */
/* The task that a slot runs just now, and what the slot offers to it. zonda_task of the public API.
 */
#ifndef ZN_OPS_TASK_H
#define ZN_OPS_TASK_H

#include <stdatomic.h>
#include <zonda/function.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/memory.h"
#include "wire/keys.h"
#include "wire/message.h"

/* What the slot offers. All calls happen on the slot's thread and may block. */
typedef struct zn_task_host {
    void *context;
    const char *scratch; /* folder for segments */
    const char *owner;   /* tells this slot's segments apart, e.g. "slot3-1" */
    zn_memory *memory;   /* of the slot; NULL: without a limit */
    const char *machine; /* tells hosts apart; files of workers with the same one can be read */
    const zn_keys *keys; /* to fetch with; NULL: none */
    /* The bytes of a blob, borrowed until the stage is closed. Errors: UNKNOWN_BLOB, CANCELLED. */
    zonda_err (*blob)(void *context, zn_digest digest, zn_bytes *out, zonda_error *error);
    /* A page of results of an earlier stage from task `first` on, borrowed until the next call. */
    zonda_err (*results)(void *context, zn_job_id job, zn_stage_id stage, uint64_t first,
                         const zn_msg_results **page, zonda_error *error);
    /* Asks for permission to publish and waits for it. */
    zonda_err (*commit)(void *context, zn_attempt_id attempt, bool *granted, zonda_error *error);
    /* Whether the running attempt should end; cheap, asked between records. */
    bool (*cancelled)(void *context);
    /* C code of the user begins (both NULL: has ended), to be named should it crash; may be NULL.
     * Cheap, called around each record. */
    void (*entered)(void *context, const char *op, const char *function);
    _Atomic uint64_t
        *moves; /* counts records read and given, for who looks for hangs; NULL: nobody */
    /* Makes `folder` (an absolute path) the current one; may be NULL: it is. Error: IO. */
    zonda_err (*enter)(void *context, const char *folder, zonda_error *error);
} zn_task_host;

typedef struct zn_task_counter {
    char *name;
    int64_t sum;
    int64_t min;
    int64_t max;
    uint64_t count;
} zn_task_counter;

struct zonda_task {
    const zn_task_host *host;
    zn_attempt_id attempt;
    uint64_t shard; /* of the dataset that the running function works on */
    uint64_t shard_count;
    uint64_t records_in;
    uint64_t records_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    /* Where the source is, for errors about a record. */
    const char *file; /* NULL: not from a file */
    uint64_t line;
    bool pulls;     /* its source counts what it reads itself (ops/exchange.h) */
    bool withdrawn; /* the commit was refused: end without an outcome */
    zn_task_counter *counters;
    size_t counter_count;
    size_t counter_capacity;
    struct zn_shared *shared; /* of the stage */
    void *state;              /* of the C function that runs just now */
    zonda_error failure;      /* set by zonda_task_fail */
};

/* The slot makes progress: a record was read or given, or an answer came. One writer. */
static inline void zn_task_moves(const zn_task_host *host) {
    if (host->moves != NULL) {
        uint64_t moves = atomic_load_explicit(host->moves, memory_order_relaxed);
        atomic_store_explicit(host->moves, moves + 1, memory_order_relaxed);
    }
}

/* What those are given to ask who wait, or work for long, between two records, with the host as
 * `context`: whether the attempt should end. Who does so does not hang. */
bool zn_task_waits(void *context);

/* Counts bytes that the task wrote to temporary files: the built-in counter spilled_bytes. */
void zn_task_spilled(zonda_task *task, uint64_t bytes);

/* Shared data of a stage: names and decoded values, decoded once per slot and stage. */
typedef struct zn_shared zn_shared;

/* The bytes of a shared value; for Lua. Error: NOT_FOUND listing the known names. */
zonda_err zn_task_shared_bytes(zonda_task *task, zn_bytes name, zn_bytes *out, zonda_error *error);

#endif
