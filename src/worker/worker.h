/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_WORKER_H
#define ZN_WORKER_WORKER_H

#include "base/error.h"

/* A worker: registers with a coordinator and runs tasks in its slots. Its loop is on a thread of
 * its own, which never runs user code. */
typedef struct zn_worker zn_worker;

typedef enum zn_slot_kind {
    ZN_SLOT_THREAD,  /* in-process cluster: sees functions registered in this program */
    ZN_SLOT_PROCESS, /* a crash kills one attempt and not the worker */
} zn_slot_kind;

typedef struct zn_worker_options {
    const char *connect; /* the coordinator's control endpoint */
    uint32_t slots;      /* 0: the number of processors */
    zn_slot_kind kind;
    const char *program; /* PROCESS: path of the program that has the `slot` command */
    const char *scratch; /* where the worker makes its folder, which is removed at the end; NULL:
                            $TMPDIR or /tmp */
    const char *
        data_bind; /* data endpoint; NULL: like the coordinator's, on the address that reaches it */
    const char *keys;      /* folder with client.key and coordinator.pub; NULL: without keys */
    uint64_t memory_bytes; /* of each slot for what can grow; 0: the machine's memory, or the limit
                              of the control group, divided by slots */
    uint32_t neighbours;   /* other workers with as many slots that share the machine's memory */
    bool insecure;         /* allow a data endpoint that others than this machine can reach */
} zn_worker_options;

/* Binds the data socket, starts the slots and the loop; returns before the coordinator has
 * answered (a worker waits for its coordinator for as long as it takes). Options are copied.
 * NULL and `error` on failure: INVALID, REFUSED, IO. */
zn_worker *zn_worker_start(const zn_worker_options *options, zonda_error *error);

/* Waits up to `timeout_ms` (-1: for ever) for the worker to end by itself, because the coordinator
 * said so (DONE, scope ALL) or refused it (VERSION). True when it has ended; then `error` has the
 * reason, OK for a regular end. */
bool zn_worker_wait(zn_worker *worker, int timeout_ms, zonda_error *error);

/* Lets it leave in order: it gets no more tasks, finishes those that run, and ends when no open job
 * needs its results, or when its coordinator is gone. Returns at once; zn_worker_wait waits. */
void zn_worker_drain(zn_worker *worker);

/* Says good-bye to the coordinator, ends the slots (kills what does not end), removes segments and
 * scratch, frees everything. NULL-safe. */
void zn_worker_stop(zn_worker **worker);

/* The body of a slot process: connects to `endpoint` as slot `index` of the worker process
 * `parent_pid`, with `memory_bytes` for what can grow and `keys` (a folder; may be NULL), runs
 * until told to stop or until that process is gone. Returns an exit status. */
int zn_slot_process_main(const char *endpoint, uint32_t index, const char *scratch,
                         uint64_t memory_bytes, const char *keys, long parent_pid);

#endif
