/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the slot loop only: its data, and what slot_loop.c, slot_inbox.c and slot_host.c offer to
 * each other. */
#ifndef ZN_WORKER_SLOT_STATE_H
#define ZN_WORKER_SLOT_STATE_H

#include "base/machine.h"
#include "ops/stage_exec.h"
#include "wire/channel.h"
#include "worker/blob_assembly.h"
#include "worker/outcome_batch.h"
#include "worker/slot_loop.h"

enum {
    ZN_SLOT_INBOX_MAX = 4096,
    ZN_SLOT_OFFERS_MAX = 4 /* bodies that came before a task needed them */
};

/* TASK or DONE that waits its turn; the runs are owned. */
typedef struct zn_slot_order {
    zn_message_number number;
    zn_msg_task task;
    uint8_t body[ZN_DIGEST_BYTES];
    zn_msg_done done;
} zn_slot_order;

typedef struct zn_slot_blob {
    uint64_t job;
    zn_blob_assembly assembly; /* complete */
    struct zn_slot_blob *next;
} zn_slot_blob;

/* A compiled stage, or why it does not compile. */
typedef struct zn_slot_stage {
    zn_slot_loop *loop;
    uint64_t job;
    uint64_t stage;
    char owner[64];
    zn_task_host host;
    zn_stage_exec *exec; /* NULL: `failure` says why */
    zonda_error failure;
    bool interrupted; /* attempts of it were ended, or died */
    struct zn_slot_stage *next;
} zn_slot_stage;

typedef struct zn_slot_profile zn_slot_profile;

struct zn_slot_loop {
    zn_slot_loop_options options;
    zn_memory memory; /* of all stages: one task runs at a time */
    char machine[ZN_MACHINE_TEXT];
    zn_keys keys;         /* if options.keys */
    zn_task_host waiting; /* `moves` alone: for the time that it waits for answers */
    zn_channel *channel;
    zn_slot_order *orders; /* first in, first out */
    size_t order_head;
    size_t order_count;
    size_t order_capacity;
    bool ended; /* DONE (scope ALL) came, or the worker broke the protocol */
    zn_slot_stage *stages;
    uint64_t stage_serial;
    zn_slot_blob *blobs;
    zn_blob_assembly offers[ZN_SLOT_OFFERS_MAX]; /* PARTIAL: none */
    size_t offer_next;
    char *folder; /* the current one, once a stage has asked for one */
    /* The chunk that runs. */
    uint64_t epoch;
    uint64_t sequence;
    uint64_t job;
    uint64_t stage;
    zn_outcome_batch batch;
    uint64_t batch_since_ns;  /* when the first outcome of the batch was added */
    uint64_t task_since_ns;   /* when the running task began */
    uint64_t spent_ns;        /* that the tasks of the batch took */
    zn_slot_profile *profile; /* NULL: no stage has asked for one */
    uint32_t asked;           /* calls of `cancelled` since the batch's age was looked at */
    /* Calls to the coordinator. */
    uint64_t request;
    zn_msg_results page;
    zn_arena page_arena;
};

/* ---- slot_inbox.c ---- */

/* Takes over a TASK or DONE, and a BLOB that nobody waits for; anything else is late and ignored.
 */
void zn_slot_inbox_put(zn_slot_loop *loop, const zn_message *message);
/* The oldest one; false if there is none. Its runs belong to the caller, freed with free(). */
bool zn_slot_inbox_take(zn_slot_loop *loop, zn_slot_order *order);
void zn_slot_inbox_free(zn_slot_loop *loop);

/* ---- slot_host.c ---- */

/* Fills in `stage->host`. */
void zn_slot_host_init(zn_slot_stage *stage);
/* Fetches a blob or finds it. Errors: UNKNOWN_BLOB, CANCELLED. */
zonda_err zn_slot_host_blob(zn_slot_loop *loop, uint64_t job, zn_digest digest, zn_bytes *out,
                            zonda_error *error);
void zn_slot_host_forget(zn_slot_loop *loop, uint64_t job);
/* Keeps a small blob that came unasked, in place of an older one. */
void zn_slot_host_offer(zn_slot_loop *loop, const zn_msg_blob *blob);
void zn_slot_host_free(zn_slot_loop *loop);

/* ---- slot_loop.c ---- */

bool zn_slot_loop_cancelled(zn_slot_loop *loop);
/* Waits for a message, up to `timeout_ms`, and receives it. */
bool zn_slot_loop_receive(zn_slot_loop *loop, int timeout_ms, zn_message *message);
void zn_slot_loop_send(zn_slot_loop *loop, const zn_message *message);
void zn_slot_loop_flush(zn_slot_loop *loop);

#endif
