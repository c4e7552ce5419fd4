/* SPDX-License-Identifier: MPL-2.0 */
/* Errors: one code per kind of failure, one object with the words for people. */
#ifndef ZONDA_ERROR_H
#define ZONDA_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ZONDA_API
#define ZONDA_API __attribute__((visibility("default")))
#endif

/* Every code with its number on the wire (never reused) and its short text. */
#define ZONDA_ERR_LIST(X)                                                                          \
    X(OK, 0, "no error")                                                                           \
    X(INVALID, 1, "invalid argument")                                                              \
    X(PLAN, 2, "the plan is not valid")                                                            \
    X(NO_MATCH, 3, "no file matches")                                                              \
    X(NOT_FOUND, 4, "not found")                                                                   \
    X(LIMIT, 5, "a limit is exceeded")                                                             \
    X(IO, 6, "input or output failed")                                                             \
    X(BAD_RECORD, 7, "bad record")                                                                 \
    X(CORRUPT, 8, "data is corrupt")                                                               \
    X(USER, 9, "a user function failed")                                                           \
    X(CRASH, 10, "a slot died")                                                                    \
    X(WORKER_LOST, 11, "a worker was lost")                                                        \
    X(PROTOCOL, 12, "the peer broke the protocol")                                                 \
    X(VERSION, 13, "protocol versions differ")                                                     \
    X(TIMEOUT, 14, "no answer in time")                                                            \
    X(UNREACHABLE, 15, "the cluster is not reachable")                                             \
    X(REFUSED, 16, "refused")                                                                      \
    X(EMPTY_STAGE, 17, "a stage of zero tasks")                                                    \
    X(UNKNOWN_JOB, 18, "no such job")                                                              \
    X(UNKNOWN_STAGE, 19, "no such stage")                                                          \
    X(STAGE_MISMATCH, 20, "the stage is not the one that was submitted")                           \
    X(UNKNOWN_BLOB, 21, "no such blob")                                                            \
    X(CANCELLED, 22, "cancelled")                                                                  \
    X(CLOSED, 23, "closed")                                                                        \
    X(UNSUPPORTED, 24, "not supported")                                                            \
    X(STALE, 25, "overtaken by a newer one")                                                       \
    X(INTERNAL, 26, "internal error")                                                              \
    X(DISK_FULL, 27, "the disk is full")                                                           \
    X(HUNG, 28, "a task made no progress")                                                         \
    X(STATE, 29, "the state directory cannot be used")                                             \
    X(KEYS, 30, "the keys do not fit")                                                             \
    X(PLAN_CHANGED, 31, "a job of that name has another plan")

typedef enum zonda_err {
#define ZONDA_ERR_ENUM(name, number, text) ZONDA_ERR_##name = number,
    ZONDA_ERR_LIST(ZONDA_ERR_ENUM)
#undef ZONDA_ERR_ENUM
    ZONDA_OK = 0
} zonda_err;

/* What failed and where. Plain data, owned by the caller, valid when all zero. Empty strings and
 * zeros mean "does not apply"; `shard` is only meaningful when `has_shard` is set. */
typedef struct zonda_error {
    zonda_err code;
    bool permanent; /* trying again cannot help */
    bool has_shard;
    uint32_t attempt;      /* from 1 */
    uint64_t shard;        /* from 0 */
    uint64_t worker;       /* id of the worker that ran the attempt */
    uint64_t line;         /* in `file`, from 1 */
    uint64_t column;       /* bytes, from 1 */
    bool has_lost;         /* a result of an earlier stage could not be read: */
    uint32_t lost_stage;   /* the stage, */
    uint32_t lost_attempt; /* the attempt, and */
    uint64_t lost_task;    /* the task that made it */
    char op[64];           /* operator name, such as "map" */
    char file[512];        /* input or output file */
    char text[1024];       /* one sentence with the values that matter */
    char traceback[1024];  /* of the user function, where there is one; of a job also why its task
                              was given up and how the attempts at it ended, a line for each */
} zonda_error;

/* The constant name of a code ("BAD_RECORD"), never NULL. Any thread. */
ZONDA_API const char *zonda_err_name(zonda_err code);

/* The short text of a code ("bad record"), never NULL. Any thread. */
ZONDA_API const char *zonda_err_text(zonda_err code);

/* Writes the whole error as text into `out` (`size` bytes, always terminated): where, what, and
 * the traceback on lines of its own. Returns `out`. Any thread. */
ZONDA_API char *zonda_error_format(const zonda_error *error, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
