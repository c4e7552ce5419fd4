/* SPDX-License-Identifier: MPL-2.0 */
/* The part that all commands about a running cluster have in common: which cluster, how long to
 * wait, which job; one session of control calls; and the exit status that fits an error. */
#include "cli/cluster_call.h"

#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"

enum {
    OPTION_JSON = 1000,
    OPTION_KEYS,
    OPTION_TIMEOUT,
    OPTION_WAIT,
    OPTION_STATE
};

/* clang-format off */
/* What every command needs that talks to a cluster. */
#define TALK_OPTIONS                                                                               \
    { "connect", 'c', "ENDPOINT", 0, "the cluster; default " ZN_DEFAULT_ENDPOINT, 0 },             \
    { "timeout", OPTION_TIMEOUT, "SECONDS", 0, "how long it may take to answer; default 30", 0 },  \
    { "keys", OPTION_KEYS, "DIR", 0, ZN_KEYS_DOC, 0 }
/* clang-format on */

static const struct argp_option options[] = {
    TALK_OPTIONS,
    { "json", OPTION_JSON, NULL, 0, "print JSON, for machines", 0 },
    { 0 },
};

/* Reads JOB[/STAGE[/TASK]]; false if it is none. */
static bool read_place(const char *word, zn_cluster_word takes, zn_msg_explain *place) {
    char copy[64];
    if (strlen(word) >= sizeof copy) {
        return false;
    }
    memcpy(copy, word, strlen(word) + 1);
    char *stage = strchr(copy, '/');
    char *task = stage == NULL ? NULL : strchr(stage + 1, '/');
    if (stage != NULL) {
        *stage++ = '\0';
    }
    if (task != NULL) {
        *task++ = '\0';
    }
    *place = (zn_msg_explain){ .has_stage = stage != NULL, .has_task = task != NULL };
    return (takes == ZN_CLUSTER_WORD_PLACE || stage == NULL) &&
           zn_cli_number(copy, 1, UINT64_MAX, &place->job) &&
           (stage == NULL || zn_cli_number(stage, 0, ZN_STAGES_MAX, &place->stage)) &&
           (task == NULL || zn_cli_number(task, 0, ZN_STAGE_TASKS_MAX, &place->task));
}

/* Options of those commands that name a worker. */
static const struct argp_option worker_options[] = {
    TALK_OPTIONS,
    { "wait", OPTION_WAIT, NULL, 0, "wait until the worker has left", 0 },
    { 0 },
};

/* Options of those commands that are about jobs which have ended. */
static const struct argp_option past_options[] = {
    { "connect", 'c', "ENDPOINT", 0, "the cluster; default " ZN_DEFAULT_ENDPOINT, 0 },
    { "state", OPTION_STATE, "DIR", 0,
      "read the state directory of a coordinator, which need not run", 0 },
    { "timeout", OPTION_TIMEOUT, "SECONDS", 0, "how long it may take to answer; default 30", 0 },
    { "keys", OPTION_KEYS, "DIR", 0, ZN_KEYS_DOC, 0 },
    { "json", OPTION_JSON, NULL, 0, "print JSON, for machines", 0 },
    { 0 },
};

static const struct argp_option *options_of(zn_cluster_word takes) {
    switch (takes) {
    case ZN_CLUSTER_WORD_WORKER:
        return worker_options;
    case ZN_CLUSTER_WORD_PAST:
        return past_options;
    default:
        return options;
    }
}

static void take_word(zn_cluster_options *parsed, const char *word, struct argp_state *state) {
    if (parsed->takes == ZN_CLUSTER_WORD_NONE || parsed->has_word) {
        argp_error(state, "unexpected word '%s'", word);
    }
    parsed->has_word = true;
    if (parsed->takes == ZN_CLUSTER_WORD_WORKER) {
        if (!zn_cli_number(word, 1, UINT64_MAX, &parsed->worker)) {
            argp_error(state, "'%s' is not the id of a worker; `zonda workers` lists them", word);
        }
        return;
    }
    if (!read_place(word, parsed->takes, &parsed->place)) {
        argp_error(state, "'%s' is not a job id%s; `zonda jobs` lists them", word,
                   parsed->takes == ZN_CLUSTER_WORD_PLACE ? ", JOB/STAGE or JOB/STAGE/TASK" : "");
    }
}

static error_t parse(int key, char *word, struct argp_state *state) {
    zn_cluster_options *parsed = state->input;
    switch (key) {
    case 'c':
        parsed->connect = word;
        return 0;
    case OPTION_TIMEOUT:
        if (!zn_cli_number(word, 1, 86400, &parsed->timeout_s)) {
            argp_error(state, "--timeout: '%s' is not a number of seconds from 1 to 86400", word);
        }
        return 0;
    case OPTION_KEYS:
        parsed->keys = word;
        return 0;
    case OPTION_JSON:
        parsed->json = true;
        return 0;
    case OPTION_STATE:
        parsed->state = word;
        return 0;
    case OPTION_WAIT:
        parsed->wait = true;
        return 0;
    case ARGP_KEY_ARG:
        take_word(parsed, word, state);
        return 0;
    case ARGP_KEY_END:
        if (parsed->takes == ZN_CLUSTER_WORD_WORKER && !parsed->has_word) {
            argp_error(state, "the id of a worker is missing; `zonda workers` lists them");
        }
        if (parsed->takes != ZN_CLUSTER_WORD_NONE && parsed->takes != ZN_CLUSTER_WORD_PAST &&
            !parsed->has_word) {
            argp_error(state, "the id of a job is missing; `zonda jobs` lists them");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void zn_cluster_parse(const char *doc, zn_cluster_word takes, int argc, char **argv,
                      zn_cluster_options *parsed) {
    static const char *const words[] = { NULL, "JOB", "JOB[/STAGE[/TASK]]", "WORKER", "[JOB]" };
    const struct argp argp = { options_of(takes), parse, words[takes], doc, NULL, NULL, NULL };
    *parsed = (zn_cluster_options){ .takes = takes, .connect = ZN_DEFAULT_ENDPOINT };
    zn_cli_parse(&argp, argc, argv, parsed);
}

zonda_err zn_cluster_call(zn_control_client *client, zn_message *request,
                          zn_message_number expected, const zn_message **reply,
                          zonda_error *error) {
    zn_call call = { .request = request, .expected = expected };
    return zn_control_client_call(client, &call, reply, error);
}

zn_control_client *zn_cluster_open(const zn_cluster_options *parsed, zonda_error *error) {
    const char *folder = zn_keys_folder(parsed->keys);
    zn_keys keys = { 0 };
    if (folder != NULL && zn_keys_load_client(folder, &keys, error) != ZONDA_OK) {
        return NULL;
    }
    zn_control_client_options client_options = { .timeout_ms = (uint32_t)parsed->timeout_s * 1000,
                                                 .keys = folder != NULL ? &keys : NULL };
    zn_control_client *client = zn_control_client_new(parsed->connect, &client_options, error);
    zn_keys_wipe(&keys);
    if (client == NULL) {
        return NULL;
    }
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    zn_message hello = { .number = ZN_MSG_HELLO,
                         .hello = { .role = ZN_ROLE_OBSERVER,
                                    .host = zn_bytes_of_text(host),
                                    .pid = (uint64_t)getpid() } };
    const zn_message *reply = NULL;
    if (zn_cluster_call(client, &hello, ZN_MSG_ENDPOINTS, &reply, error) != ZONDA_OK) {
        zn_control_client_destroy(&client);
    }
    return client;
}

int zn_cluster_run(const char *doc, zn_cluster_word takes, zn_cluster_action *action, int argc,
                   char **argv) {
    zn_cluster_options parsed;
    zn_cluster_parse(doc, takes, argc, argv, &parsed);
    zonda_error error = { 0 };
    zn_control_client *client = zn_cluster_open(&parsed, &error);
    if (client == NULL) {
        return zn_cli_fail(&error);
    }
    zonda_err code = action(client, &parsed, &error);
    int status = code == ZONDA_OK ? ZN_EXIT_DONE : zn_cli_fail(&error);
    zn_control_client_destroy(&client);
    return status;
}

const char *zn_cluster_job_state(uint64_t state) {
    static const char *const names[] = { "running", "failed", "cancelled", "closing" };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *zn_cluster_worker_state(uint64_t state) {
    static const char *const names[] = { "there", "draining", "away", "leaving" };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *zn_cluster_stage_state(uint64_t state) {
    static const char *const names[] = { "new", "running", "complete", "failed", "cancelled" };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}
