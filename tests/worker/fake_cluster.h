/* SPDX-License-Identifier: MPL-2.0 */
/* A coordinator for tests of the worker: three real sockets, answered from the test's own thread
 * while it waits for something; it keeps what the worker said. */
#ifndef ZN_TESTS_FAKE_CLUSTER_H
#define ZN_TESTS_FAKE_CLUSTER_H

#include "test.h"

#include "base/digest.h"
#include "record/value.h"
#include "wire/channel.h"
#include "worker/worker.h"

enum {
    FAKE_TASKS_MAX = 4096,
    FAKE_BLOBS_MAX = 8
};

typedef struct fake_task {
    unsigned reports; /* outcomes that came, in all epochs */
    uint64_t attempt;
    bool permanent;
    uint64_t code; /* of the last outcome's failure; 0: success */
    uint64_t records_out;
    bool large; /* the result is in a segment */
    char text[256];
} fake_task;

typedef struct fake_cluster {
    zn_channel *control;
    zn_channel *work;
    zn_channel *blobs;
    /* How it behaves. */
    bool mute;           /* nothing on work is answered, no heartbeats */
    bool refuse_version; /* control answers REFUSAL VERSION */
    bool hold_commits;   /* COMMIT is not answered */
    uint64_t heartbeat_ms;
    uint64_t lost_ms;
    uint64_t page_total; /* tasks of stage 0, whose results are asked for */
    /* The worker. */
    bool present;
    zn_peer peer;
    uint64_t epoch;
    uint64_t epochs; /* last that was given */
    uint64_t sent;   /* TASK sequence */
    char data[256];
    /* What it said, in all epochs unless noted. */
    unsigned hellos;
    unsigned lookups;
    unsigned blob_requests;
    unsigned heartbeats;
    unsigned commits;
    unsigned dones;
    unsigned goodbyes;
    unsigned results;
    unsigned bad_results; /* wrong sequence or epoch */
    uint64_t result_sequence;
    uint64_t credit;
    uint64_t done_job;
    uint64_t beat_ns;
    fake_task tasks[FAKE_TASKS_MAX];
    zn_buf blob[FAKE_BLOBS_MAX];
    zn_digest digest[FAKE_BLOBS_MAX];
    size_t blob_count;
} fake_cluster;

/* Binds beside `control`, "inproc://NAME", "ipc://PATH" or "tcp://127.0.0.1:*". */
fake_cluster *fake_cluster_open(const char *control);
void fake_cluster_close(fake_cluster **fake);
const char *fake_cluster_endpoint(const fake_cluster *fake);

zn_digest fake_cluster_put(fake_cluster *fake, zn_bytes bytes);

/* The body of a stage: from_range(n), then, if `function` is given, map with that C function. */
zn_digest fake_cluster_body(fake_cluster *fake, uint64_t n, uint64_t tasks, const char *function);

/* One task: from_range(2), the function, write_jsonl(pattern). */
zn_digest fake_cluster_sink_body(fake_cluster *fake, const char *function, const char *pattern);
/* from_list; `inputs` is a blob with an array of an item per task. */
zn_digest fake_cluster_list_body(fake_cluster *fake, uint64_t tasks, zn_digest inputs);
/* One task that reads the results of stage 0. */
zn_digest fake_cluster_stage_body(fake_cluster *fake);

/* Gives tasks [first, first + count) of (job, stage) with the next sequence number, or another. */
void fake_cluster_give(fake_cluster *fake, uint64_t job, zn_digest body, uint64_t first,
                       uint64_t count, uint64_t attempt);
void fake_cluster_give_as(fake_cluster *fake, uint64_t sequence, uint64_t job, zn_digest body,
                          uint64_t first, uint64_t count, uint64_t attempt);

/* Sends a message to the worker as it is; its epoch must be set by the caller. */
void fake_cluster_send(fake_cluster *fake, const zn_message *message);
void fake_cluster_done(fake_cluster *fake, uint64_t job);
void fake_cluster_cancel(fake_cluster *fake, uint64_t job);

/* Serves until `until` says true; fails the test after half a minute. */
typedef bool fake_condition(const fake_cluster *fake, uint64_t value);
void fake_cluster_until(fake_cluster *fake, const char *what, fake_condition *until,
                        uint64_t value);
/* Serves what is there, for about `ms`. */
void fake_cluster_serve(fake_cluster *fake, int ms);

/* Conditions. */
bool fake_is_registered(const fake_cluster *fake, uint64_t epochs); /* at least so many */
bool fake_has_reports(const fake_cluster *fake, uint64_t count);    /* tasks with an outcome */
bool fake_has_done(const fake_cluster *fake, uint64_t job);
bool fake_has_goodbye(const fake_cluster *fake, uint64_t unused);

#endif
