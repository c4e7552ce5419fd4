/* SPDX-License-Identifier: MPL-2.0 */
/* Clusters: where datasets run. */
#ifndef ZONDA_CLUSTER_H
#define ZONDA_CLUSTER_H

#include <zonda/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A cluster: inside this process, or a connection to one elsewhere. It may run one execution after
 * another. One thread at a time; several clusters on several threads are fine. */
typedef struct zonda_cluster zonda_cluster;

/* The result of an execution: records to read, counters. Workers keep large results until it is
 * destroyed. Destroy it before its cluster is closed; else reading it says CLOSED from then on.
 * Same thread as its cluster. */
typedef struct zonda_result zonda_result;

typedef struct zonda_local_options {
    uint32_t slots;      /* 0: the number of processors */
    uint32_t workers;    /* 0: 1; each has `slots` slots */
    const char *scratch; /* folder for large results; NULL: $TMPDIR or /tmp */
    /* Memory of each slot for sorting, grouping and joining, which use the scratch folder for what
     * is more; 0: what the machine or the control group has, divided by the slots. */
    uint64_t memory_bytes;
} zonda_local_options;

typedef struct zonda_connect_options {
    uint32_t timeout_ms; /* of every call to the coordinator; 0: 30 s */
    const char *keys;    /* folder made by `zonda keygen`; NULL: $ZONDA_KEYS, if set; "": none */
} zonda_connect_options;

typedef struct zonda_counter {
    const char *name;
    int64_t sum;
    int64_t min;
    int64_t max;
    uint64_t count;
} zonda_counter;

/* How far an execution is; texts are borrowed during the call. */
typedef struct zonda_progress {
    uint64_t job;
    uint32_t stage; /* from 0 */
    uint32_t stage_count;
    const char *stage_name;
    uint64_t total;
    uint64_t completed;
    uint64_t running;
    uint64_t retries;
    uint64_t workers;
    uint64_t records_in;
    uint64_t records_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    bool resumed; /* the job was there before: this execution goes on with it */
} zonda_progress;

typedef struct zonda_execute_options {
    /* Of the job; NULL: made from the operators. With a name it goes on with the open job of that
     * name whose driver was killed: PLAN_CHANGED for another plan, REFUSED if it is still there. */
    const char *name;
    /* Gets each record (one MessagePack value) in result order, while later shards still run; the
     * result then has no records to read. A code other than OK ends the execution with it. */
    zonda_err (*on_record)(void *context, const void *record, size_t bytes);
    void (*on_progress)(void *context, const zonda_progress *progress);
    void *context;              /* for both */
    uint64_t lua_memory_bytes;  /* of each Lua function in each slot; 0: 256 MiB */
    uint64_t lua_instructions;  /* of one call of a Lua function; 0: 1,000,000,000 */
    const volatile int *cancel; /* not 0: cancel the job and return CANCELLED; may be NULL.
                                   All of these are used during zonda_execute only. */
    bool detach; /* the job stays when this program is killed, and not for a time of grace only */
    /* How many attempts of a task may fail before the job does: by the user's code (0: 3), with a
     * worker or a disk (0: 20), by the death of a slot (0: 3). At most 1000. */
    uint32_t user_attempts;
    uint32_t infra_attempts;
    uint32_t crash_attempts;
    uint32_t hang_ms;  /* an attempt that reads and gives no record for so long is ended and counts
                          as a death of its slot; 0: never; at most a day */
    bool no_backups;   /* slow tasks at the end of a stage get no second attempt */
    bool profile;      /* measure where the time goes, for zonda/profile.h */
    const char *trace; /* file for a Chrome trace, written also if it fails; NULL: none. IO */
} zonda_execute_options;

/* Starts a coordinator and a worker with thread slots in this process. NULL and `error` on
 * failure. Options may be NULL. */
ZONDA_API zonda_cluster *zonda_cluster_open_local(const zonda_local_options *options,
                                                  zonda_error *error);

/* Connects to the control endpoint of a coordinator ("tcp://host:7070", "ipc://PATH") and checks
 * that it answers. Errors: INVALID, UNREACHABLE, VERSION, KEYS (unreadable, or they do not fit). */
ZONDA_API zonda_cluster *zonda_cluster_connect(const char *endpoint,
                                               const zonda_connect_options *options,
                                               zonda_error *error);

/* The control endpoint. Borrowed. */
ZONDA_API const char *zonda_cluster_endpoint(const zonda_cluster *cluster);

/* Shared data: a MessagePack value that every task of later executions can read by name. Copied.
 * Errors: INVALID (name, not one value), LIMIT. */
ZONDA_API zonda_err zonda_cluster_put(zonda_cluster *cluster, const char *name, const void *value,
                                      size_t bytes, zonda_error *error);

/* Runs the dataset (borrowed) and waits until it is complete. NULL and `error` on failure: the
 * dataset's own error, PLAN, PLAN_CHANGED, NO_MATCH, USER, BAD_RECORD, CANCELLED, TIMEOUT,
 * UNREACHABLE, … Options may be NULL. */
ZONDA_API zonda_result *zonda_execute(zonda_cluster *cluster, const zonda_dataset *dataset,
                                      const zonda_execute_options *options, zonda_error *error);

/* Gets the next record (one MessagePack value, borrowed until the next call) in result order;
 * `*got` is false after the last. Large results are fetched in pages as they are read. */
ZONDA_API zonda_err zonda_result_next(zonda_result *result, const void **record, size_t *bytes,
                                      bool *got, zonda_error *error);

/* User and built-in counters ("bytes_in", "bytes_out", "records_in", "records_out", "retries",
 * "tasks") of all stages, sorted by name. They are of the attempts whose results count: one for
 * each task, however often it was tried. Values are those of single tasks, for "tasks" and
 * "retries" those of stages. Borrowed. */
ZONDA_API const zonda_counter *zonda_result_counters(const zonda_result *result, size_t *count);

/* The same of one stage, from 0; NULL with a count of 0 if there is no such stage or it had no
 * tasks. Borrowed. */
ZONDA_API const zonda_counter *zonda_result_stage_counters(const zonda_result *result, size_t stage,
                                                           size_t *count);
ZONDA_API size_t zonda_result_stage_count(const zonda_result *result);

/* The operators of a stage, as the plan names them; NULL if there is no such stage. Borrowed. */
ZONDA_API const char *zonda_result_stage_name(const zonda_result *result, size_t stage);

/* The mean of the values; 0 if there are none. */
ZONDA_API double zonda_counter_mean(const zonda_counter *counter);

/* The id that the cluster gave to the job; 0 if there was nothing to run. */
ZONDA_API uint64_t zonda_result_job(const zonda_result *result);

/* Releases what workers keep for it and waits for that; NULL-safe, clears the pointer. */
ZONDA_API void zonda_result_destroy(zonda_result **result);

/* Closes: open jobs are cancelled, a local cluster ends its threads and removes its files. Two
 * threads of the messaging library stay until the process ends, however many clusters there were.
 * NULL-safe, clears the pointer. */
ZONDA_API void zonda_cluster_close(zonda_cluster **cluster);

#ifdef __cplusplus
}
#endif
#endif
