/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SLOT_LOOP_H
#define ZN_WORKER_SLOT_LOOP_H

#include "base/error.h"
#include "worker/slot_board.h"

/* One slot: connects to its worker, runs the chunks that it gets, until it is told to end. The same
 * code in a thread and in a process. */
typedef struct zn_slot_loop zn_slot_loop;

typedef struct zn_slot_loop_options {
    const char *endpoint; /* of the worker; texts are borrowed for the life of the loop */
    uint32_t index;
    const char *scratch;
    zn_slot_board *board;
    const char *keys;                /* folder with keys to fetch with; NULL: none */
    uint64_t memory_bytes;           /* for what can grow; 0: no limit */
    int stop_fd;                     /* readable when `stopping` may have become true; -1: none */
    bool (*stopping)(void *context); /* asked often */
    bool own_process;                /* the current folder is the slot's alone */
    void *context;
} zn_slot_loop_options;

/* Connects. Errors: INVALID, KEYS. */
zn_slot_loop *zn_slot_loop_new(const zn_slot_loop_options *options, zonda_error *error);

/* Says HELLO and works until DONE (scope ALL) came or `stopping` says true. */
void zn_slot_loop_run(zn_slot_loop *loop);
void zn_slot_loop_destroy(zn_slot_loop **loop);

#endif
