/* SPDX-License-Identifier: MPL-2.0 */
/* What the commands that talk to a running cluster share: their command line and their calls. */
#ifndef ZN_CLI_CLUSTER_CALL_H
#define ZN_CLI_CLUSTER_CALL_H

#include "runtime/control_client.h"

/* What a command names on its command line. */
typedef enum zn_cluster_word {
    ZN_CLUSTER_WORD_NONE,
    ZN_CLUSTER_WORD_JOB,    /* JOB */
    ZN_CLUSTER_WORD_PLACE,  /* JOB[/STAGE[/TASK]] */
    ZN_CLUSTER_WORD_WORKER, /* WORKER */
    ZN_CLUSTER_WORD_PAST,   /* [JOB], which may have ended */
} zn_cluster_word;

typedef struct zn_cluster_options {
    zn_cluster_word takes;
    const char *connect;
    const char *keys; /* NULL: none */
    uint64_t timeout_s;
    bool json;
    bool wait;
    bool has_word;
    zn_msg_explain place; /* JOB, PLACE */
    uint64_t worker;      /* WORKER */
    const char *state;    /* PAST: a state directory instead of a cluster; NULL: none */
} zn_cluster_options;

/* Parses the command line; a wrong one ends the program with ZN_EXIT_USAGE. */
void zn_cluster_parse(const char *doc, zn_cluster_word takes, int argc, char **argv,
                      zn_cluster_options *parsed);

/* Connects and checks that a coordinator answers. NULL and `error` on failure. */
zn_control_client *zn_cluster_open(const zn_cluster_options *parsed, zonda_error *error);

/* Makes one call; the reply is borrowed from the client until the next one. */
zonda_err zn_cluster_call(zn_control_client *client, zn_message *request,
                          zn_message_number expected, const zn_message **reply, zonda_error *error);

/* What a command does with the cluster. */
typedef zonda_err zn_cluster_action(zn_control_client *client, const zn_cluster_options *parsed,
                                    zonda_error *error);

/* The whole command: parses, connects, acts, says what went wrong. Returns the exit status. */
int zn_cluster_run(const char *doc, zn_cluster_word takes, zn_cluster_action *action, int argc,
                   char **argv);

/* "running", "failed", … for the states of jobs (zn_job_state) and stages (zn_stage_state). */
const char *zn_cluster_job_state(uint64_t state);
const char *zn_cluster_stage_state(uint64_t state);
/* The same of workers (zn_worker_state). */
const char *zn_cluster_worker_state(uint64_t state);

#endif
