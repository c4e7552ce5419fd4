/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SLOT_BOARD_H
#define ZN_WORKER_SLOT_BOARD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What a slot and its worker share without messages, in memory that outlives a slot that dies: the
 * slot writes what it runs, the worker which chunks are cancelled. */
typedef struct zn_slot_board {
    alignas(64) _Atomic uint64_t running;
    _Atomic uint64_t moves;        /* grows with every record that is read or given */
    _Atomic uint64_t cancelled[4]; /* by sequence modulo 4: a slot has at most 2 chunks */
    char op[32];                   /* the operator that runs C code of the user; empty: none */
    char function[120];            /* and the function */
} zn_slot_board;

/* Boards in a file that processes share: made anew by the worker, opened by a slot. Errors: IO,
 * INVALID (the file is too small). */
zn_slot_board *zn_slot_board_create(const char *path, size_t count, zonda_error *error);
zn_slot_board *zn_slot_board_open(const char *path, size_t count, zonda_error *error);
void zn_slot_board_unmap(zn_slot_board **boards, size_t count);

/* By the slot: it runs the task at `position` (from 1) of a chunk; 0: none. */
static inline void zn_slot_board_enter(zn_slot_board *board, uint64_t sequence, uint32_t position) {
    atomic_store_explicit(&board->running, sequence << 16 | position, memory_order_relaxed);
}

/* By the slot: C code of the user begins, or has ended (both NULL). Texts are cut. */
void zn_slot_board_enter_function(zn_slot_board *board, const char *op, const char *function);

/* By the worker when the slot has died: adds the function that it was in to `how`. */
void zn_slot_board_blame(const zn_slot_board *board, zonda_error *how);

/* By the worker when the slot has died. */
static inline void zn_slot_board_last(zn_slot_board *board, uint64_t *sequence,
                                      uint32_t *position) {
    uint64_t running = atomic_load(&board->running);
    *sequence = running >> 16;
    *position = (uint32_t)(running & 0xffff);
}

static inline void zn_slot_board_cancel(zn_slot_board *board, uint64_t sequence) {
    atomic_store(&board->cancelled[sequence % 4], sequence);
}

static inline bool zn_slot_board_is_cancelled(zn_slot_board *board, uint64_t sequence) {
    return atomic_load_explicit(&board->cancelled[sequence % 4], memory_order_relaxed) == sequence;
}

/* Before another slot process uses it: chunks count from 1 again. */
void zn_slot_board_clear(zn_slot_board *board);

#endif
