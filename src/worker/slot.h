/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SLOT_H
#define ZN_WORKER_SLOT_H

#include "base/error.h"
#include "worker/slot_board.h"

/* A slot as its worker sees it: a thread or a process that runs the slot loop. It ends by itself
 * when it is told DONE (scope ALL) over its socket. */
typedef struct zn_slot zn_slot;

typedef struct zn_slot_options {
    const char *endpoint; /* texts are borrowed for the life of the slot */
    uint32_t index;
    const char *scratch;
    zn_slot_board *board;  /* of this slot */
    const char *program;   /* process */
    const char *keys;      /* folder with keys to fetch with; NULL: none */
    uint64_t memory_bytes; /* for what can grow */
} zn_slot_options;

/* One implementation each; `slot` is theirs. */
typedef struct zn_slot_ops {
    void (*kill)(zn_slot *slot);
    int (*death_fd)(const zn_slot *slot);
    bool (*is_dead)(zn_slot *slot, zonda_error *how);
    void (*quote)(zn_slot *slot, zonda_error *how);
    uint64_t (*pid)(const zn_slot *slot);
    void (*destroy)(zn_slot *slot);
} zn_slot_ops;

struct zn_slot {
    const zn_slot_ops *ops;
};

zn_slot *zn_slot_start_thread(const zn_slot_options *options, zonda_error *error);
/* Starts `program slot --endpoint … --index … --scratch … --memory … --parent … [--keys …]`.
 * Errors: IO. */
zn_slot *zn_slot_start_process(const zn_slot_options *options, zonda_error *error);

/* Ends a process at once; its death shows as usual. Threads cannot be killed: no effect. */
void zn_slot_kill(zn_slot *slot);

/* Readable once the slot has died; -1: it dies only when it is told to. */
int zn_slot_death_fd(const zn_slot *slot);

/* Whether it has died; then `how` says how, with the code CRASH. */
bool zn_slot_is_dead(zn_slot *slot, zonda_error *how);

/* When it has died: adds the last that it wrote to `how`, if it wrote anything. */
void zn_slot_quote(zn_slot *slot, zonda_error *how);

/* The process that says HELLO for it. */
uint64_t zn_slot_pid(const zn_slot *slot);

/* Ends it: a process is killed, a thread is waited for. NULL-safe, clears the pointer. */
void zn_slot_destroy(zn_slot **slot);

/* The name of the file of boards in a scratch folder; owned by the caller. */
char *zn_slot_board_path(const char *scratch);

#endif
