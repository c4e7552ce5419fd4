/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the slot manager only: its data. Each step sets `now_ns` and `outbox` first. */
#ifndef ZN_WORKER_MANAGER_STATE_H
#define ZN_WORKER_MANAGER_STATE_H

#include "base/digest.h"
#include "worker/chunk.h"
#include "worker/run_queue.h"
#include "worker/slot_manager.h"
#include "worker/unacknowledged.h"

enum {
    ZN_KEPT_JOBS_MAX = 64
};

typedef struct zn_held_job zn_held_job;

typedef struct zn_held_stage {
    zn_held_job *job;
    uint32_t id;
    bool *warm; /* per slot: it has had a chunk of this stage */
    uint8_t body[ZN_DIGEST_BYTES];
    uint64_t hang_ms; /* without progress an attempt is ended; 0: never */
    zn_pace pace;
    zn_run_queue queue;
    struct zn_held_stage *next;       /* of the job */
    struct zn_held_stage *next_ready; /* in the order of arrival */
    bool ready;                       /* is in that list */
} zn_held_stage;

/* An attempt that a dead slot left unfinished: something must remove its temporaries. */
typedef struct zn_sweep {
    zn_held_stage *stage;
    uint64_t task;
    uint64_t attempt;
    uint64_t since_ns;
} zn_sweep;

/* A job that came in an epoch. One that is closing takes no more tasks: a TASK of the same job
 * makes a new one, so there may be several of one id, the oldest last in the list. */
struct zn_held_job {
    uint64_t id;
    zn_held_stage *stages;
    bool closing;
    bool answer;       /* the coordinator waits for DONE */
    bool *known;       /* per slot: it has got tasks of the job */
    bool *waiting;     /* per slot: it has been told DONE and has not answered */
    uint32_t sweeping; /* sweeps in slots */
    zn_sweep *sweeps;  /* that wait for a slot */
    size_t sweep_count;
    size_t sweep_capacity;
    zn_held_job *next;
};

typedef enum zn_slot_state {
    ZN_SLOT_ABSENT,   /* is started again at start_ns */
    ZN_SLOT_STARTING, /* START_SLOT was asked for */
    ZN_SLOT_READY,
    ZN_SLOT_ENDED,
} zn_slot_state;

typedef struct zn_slot_entry {
    zn_slot_state state;
    zn_chunk chunks[ZN_CHUNKS_MAX]; /* the oldest first */
    uint32_t chunk_count;
    uint64_t sequence;    /* of the last chunk */
    uint64_t finished_ns; /* when the last chunk ended */
    uint64_t start_ns;    /* ABSENT: when to start; STARTING: when it was */
    uint32_t failures;    /* deaths since a chunk ended well */
    bool killed;
    bool hung;         /* killed because of the attempt that it was in */
    zn_slot_view seen; /* what it was in, */
    uint64_t moved_ns; /* since then */
    bool committing;   /* waits for COMMITTED of `commit` */
    zn_attempt_id commit;
} zn_slot_entry;

struct zn_slot_manager {
    zn_slot_manager_config config;
    char *host;
    char *data;
    char *folder;
    char *machine;
    uint64_t now_ns;
    zn_outbox *outbox;

    zn_registration_state state;
    zonda_error reason;
    uint64_t epoch;      /* 0: none */
    uint64_t last_epoch; /* the present one or the one before; 0: nothing is kept of any */
    uint64_t cluster;    /* of the last WELCOME, 0: none */
    uint64_t hello_request;
    uint64_t since_ns; /* when the state began */
    uint64_t retry_ns; /* when to say HELLO again */
    uint32_t retry_ms;
    uint32_t heartbeat_ms;
    uint32_t lost_ms;
    uint64_t heard_ns;
    uint64_t tick_ns;   /* when time was last looked at */
    uint64_t beat_ns;   /* of our last heartbeat */
    uint64_t received;  /* sequence of the last TASK */
    uint64_t announced; /* last TASK as of the coordinator's last heartbeat */
    uint64_t sent;      /* sequence of the last RESULT */
    uint32_t credit;    /* that was last sent, 0: none */
    zn_pace pace;       /* of the last chunk that was measured */
    uint64_t idle_ns;   /* since when nothing is held, 0: something is */
    bool draining;      /* is to leave when nothing needs it */
    bool drain_told;    /* the coordinator has said so in this epoch */
    uint64_t alone_ns;  /* since when it is drained without a registration, 0: it is not */

    uint64_t held;
    zn_task_totals totals;
    zn_held_job *jobs;
    /* Jobs of another cluster that were closed, the oldest first: there may be segments. */
    uint64_t kept[ZN_KEPT_JOBS_MAX];
    uint32_t kept_count;
    zn_held_stage *ready_first;
    zn_held_stage *ready_last;
    zn_slot_entry *slots;

    zn_unacknowledged unacknowledged;
    zn_outcome_batch batch;
    uint64_t batch_job;
    uint32_t batch_stage;
    uint64_t batch_spent_us; /* what slots took for it */
};

#endif
