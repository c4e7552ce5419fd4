/* SPDX-License-Identifier: MPL-2.0 */
/* Messages as C structs, generated from message_table.h, and their encoder, decoder, printer. */
#ifndef ZN_WIRE_MESSAGE_H
#define ZN_WIRE_MESSAGE_H

#include "base/buf.h"
#include "base/error.h"
#include "wire/message_table.h"

typedef enum zn_role {
    ZN_ROLE_DRIVER = 0,
    ZN_ROLE_WORKER = 1,
    ZN_ROLE_OBSERVER = 2,
    ZN_ROLE_SLOT = 3,
} zn_role;

typedef enum zn_job_state {
    ZN_JOB_OPEN = 0,
    ZN_JOB_FAILED = 1,
    ZN_JOB_CANCELLED = 2,
    ZN_JOB_CLOSING = 3,
} zn_job_state;

/* How a job in the history ended. */
typedef enum zn_past_state {
    ZN_PAST_COMPLETE = 0,
    ZN_PAST_FAILED = 1,
    ZN_PAST_CANCELLED = 2,
} zn_past_state;

/* A worker, for people. */
typedef enum zn_worker_state {
    ZN_WORKER_THERE = 0,
    ZN_WORKER_DRAINING = 1, /* gets no more tasks */
    ZN_WORKER_AWAY = 2,     /* is to come back: it was asked to, or the coordinator was restarted */
    ZN_WORKER_LEAVING = 3,  /* was told that the cluster ends */
} zn_worker_state;

typedef enum zn_stage_state {
    ZN_STAGE_RUNNING = 1,
    ZN_STAGE_COMPLETE = 2,
    ZN_STAGE_FAILED = 3,
    ZN_STAGE_CANCELLED = 4,
} zn_stage_state;

/* Why tasks wait, or why a job makes no progress. */
typedef enum zn_wait_reason {
    ZN_WAIT_NO_WORKER = 1,  /* nobody is there to run anything */
    ZN_WAIT_NO_CREDIT = 2,  /* workers are there and take nothing yet */
    ZN_WAIT_BUSY = 3,       /* workers hold all that they take, of this job */
    ZN_WAIT_FAIR_SHARE = 4, /* the same, and other jobs have their part of it */
    ZN_WAIT_NEW_STAGE = 5,  /* few tasks are handed out until it is known how long they take */
    ZN_WAIT_HAND_OUT = 6,   /* nothing is in the way: it is handed out now */
    ZN_WAIT_HELD = 7,       /* workers have the tasks */
    ZN_WAIT_SILENT = 8,     /* a worker that has some was not heard for a while */
    ZN_WAIT_RETRIES = 9,    /* attempts failed and are made again */
    ZN_WAIT_DRIVER = 10,    /* the next step is the driver's */
    ZN_WAIT_ENDED = 11,     /* the job failed or was cancelled */
    ZN_WAIT_CLOSING = 12,   /* workers have not let go of it yet */
    ZN_WAIT_STOPPING = 13,  /* the cluster ends */
    ZN_WAIT_DISK_FULL = 14, /* a worker's disk was full: it gets no tasks for a while */
    ZN_WAIT_BACKOFF = 15,   /* tasks failed and are tried again a little later */
} zn_wait_reason;

typedef enum zn_attempt_state {
    ZN_ATTEMPT_PENDING = 1,
    ZN_ATTEMPT_HELD = 2, /* a worker has it, in a slot or in its queue */
    ZN_ATTEMPT_COMPLETED = 3,
    ZN_ATTEMPT_FAILED = 4,
    ZN_ATTEMPT_DROPPED = 5, /* its stage ended without it */
} zn_attempt_state;

/* How the tasks of a stage read an input. */
typedef enum zn_input_by {
    ZN_INPUT_ALL = 0,       /* any task may read any of it */
    ZN_INPUT_PARTITION = 1, /* task `first` + i reads partition i */
} zn_input_by;

typedef enum zn_done_scope {
    ZN_DONE_JOB = 0, /* one job: forget its bodies, delete its segments */
    ZN_DONE_ALL = 1, /* everything: the worker or slot ends */
} zn_done_scope;

typedef enum zn_message_number {
#define ZN_NUMBER(NAME, name, number, fields, way, doc) ZN_MSG_##NAME = number,
    ZN_MESSAGE_TABLE(ZN_NUMBER)
#undef ZN_NUMBER
} zn_message_number;

#define ZN_MEMBER_U(name, max, doc) uint64_t name;
#define ZN_MEMBER_I(name, doc) int64_t name;
#define ZN_MEMBER_S(name, max, doc) zn_bytes name;
#define ZN_MEMBER_B(name, max, doc) zn_bytes name;
#define ZN_MEMBER_L(name, record, max, doc)                                                        \
    struct zn_##record *name;                                                                      \
    size_t name##_count;

#define ZN_STRUCT(name, fields)                                                                    \
    typedef struct zn_##name {                                                                     \
        fields(ZN_MEMBER_U, ZN_MEMBER_I, ZN_MEMBER_S, ZN_MEMBER_B, ZN_MEMBER_L)                    \
    } zn_##name;
ZN_RECORD_TABLE(ZN_STRUCT)
#undef ZN_STRUCT

#define ZN_STRUCT(NAME, name, number, fields, way, doc)                                            \
    typedef struct zn_msg_##name {                                                                 \
        fields(ZN_MEMBER_U, ZN_MEMBER_I, ZN_MEMBER_S, ZN_MEMBER_B, ZN_MEMBER_L)                    \
    } zn_msg_##name;
ZN_MESSAGE_TABLE(ZN_STRUCT)
#undef ZN_STRUCT

/* Any one message. `number` says which member of the union is alive. Texts, binaries and lists
 * are borrowed: from the caller on the way out, from the decoder on the way in. */
typedef struct zn_message {
    zn_message_number number;
    union {
#define ZN_UNION(NAME, name, number, fields, way, doc) zn_msg_##name name;
        ZN_MESSAGE_TABLE(ZN_UNION)
#undef ZN_UNION
    };
} zn_message;

/* Appends the MessagePack form of `message` to `out`. It must respect the limits of the table
 * (asserted: what we send is ours). */
void zn_message_encode(const zn_message *message, zn_buf *out);

/* Owns the memory that decoded lists need; one decoder, one message at a time. */
typedef struct zn_decoder zn_decoder;
zn_decoder *zn_decoder_new(void);
void zn_decoder_destroy(zn_decoder **decoder);

/* Decodes one message. `bytes` must outlive the use of `out`, whose lists are valid until the next
 * call. Any input is safe: shape, depth, counts, types and the table's limits are checked first.
 * Errors: PROTOCOL with what is wrong. */
zonda_err zn_decoder_decode(zn_decoder *decoder, zn_bytes bytes, zn_message *out,
                            zonda_error *error);

/* Appends one readable line, "TASK{epoch=1 sequence=2 …}"; binaries are hex, cut when long. */
void zn_message_print(const zn_message *message, zn_buf *out);

/* "START_STAGE", or "?" for a number that the table does not have. */
const char *zn_message_name(uint64_t number);

/* Between zonda_error and its form on the wire. `to_failure` borrows the texts of `error`. */
void zn_failure_from_error(const zonda_error *error, zn_failure *out);
void zn_failure_to_error(const zn_failure *failure, zonda_error *out);

#endif
