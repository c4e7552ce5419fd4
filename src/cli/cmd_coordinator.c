/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda coordinator`: starts a coordinator, says where it listens, and runs until a signal. */
#include <stdio.h>

#include "cli/cli.h"
#include "coordinator/coordinator.h"
#include "wire/keys.h"

enum {
    OPTION_ADVERTISE = 1000,
    OPTION_INSECURE,
    OPTION_KEYS,
    OPTION_STATE,
    OPTION_HISTORY_JOBS,
    OPTION_DRAIN_TIME,
    OPTION_DRIVER_GRACE,
    GRACE_S_MAX = 86400,
    LOOK_MS = 500,
    HISTORY_JOBS_MAX = 1000000
};

typedef struct coordinator_options {
    zn_coordinator_options core;
    zonda_log_level log_level;
} coordinator_options;

static const struct argp_option options[] = {
    { "bind", 'b', "ENDPOINT", 0,
      "listen at ENDPOINT: tcp://HOST:PORT (port * picks one), ipc://PATH; "
      "default " ZN_DEFAULT_ENDPOINT,
      0 },
    { "advertise", OPTION_ADVERTISE, "HOST", 0,
      "the name under which others reach this host, where HOST of --bind is a wildcard", 0 },
    { "keys", OPTION_KEYS, "DIR", 0,
      "folder with the coordinator's keys, made with `zonda keygen DIR`: all connections are "
      "encrypted, and only those whose public keys are in DIR/allowed get in; default: $ZONDA_KEYS",
      0 },
    { "state", OPTION_STATE, "DIR", 0,
      "keep the state in DIR, so that a coordinator that is started again with it goes on where "
      "this "
      "one was, whatever ended it; one coordinator at a time can use it",
      0 },
    { "history-jobs", OPTION_HISTORY_JOBS, "N", 0,
      "remember the last N jobs that have ended, for `zonda history`; default 10000", 0 },
    { "insecure", OPTION_INSECURE, NULL, 0,
      "allow an endpoint that other machines can reach, without keys: anybody there can run code "
      "here",
      0 },
    { "drain-time", OPTION_DRAIN_TIME, "SECONDS", 0,
      "when a worker that is to leave has waited SECONDS for the end of jobs that need its "
      "results, "
      "others make them again; default 60",
      0 },
    { "driver-grace", OPTION_DRIVER_GRACE, "SECONDS", 0,
      "end the jobs of a driver that has gone after SECONDS; default 30", 0 },
    { "verbose", 'v', NULL, 0, "log more", 0 },
    { "quiet", 'q', NULL, 0, "log warnings and errors only", 0 },
    { 0 },
};

/* Returns milliseconds. */
static uint32_t read_seconds(struct argp_state *state, const char *option, const char *word) {
    uint64_t seconds = 0;
    if (!zn_cli_number(word, 1, GRACE_S_MAX, &seconds)) {
        argp_error(state, "%s takes seconds from 1 to %d, not '%s'", option, GRACE_S_MAX, word);
    }
    return (uint32_t)seconds * 1000;
}

static error_t parse(int key, char *word, struct argp_state *state) {
    coordinator_options *parsed = state->input;
    switch (key) {
    case 'b':
        parsed->core.bind = word;
        return 0;
    case OPTION_ADVERTISE:
        parsed->core.advertise = word;
        return 0;
    case OPTION_KEYS:
        parsed->core.keys = word;
        return 0;
    case OPTION_STATE:
        parsed->core.state = word;
        return 0;
    case OPTION_HISTORY_JOBS: {
        uint64_t jobs = 0;
        if (!zn_cli_number(word, 1, HISTORY_JOBS_MAX, &jobs)) {
            argp_error(state, "--history-jobs takes a number from 1 to %d, not '%s'",
                       HISTORY_JOBS_MAX, word);
        }
        parsed->core.history_jobs = (uint32_t)jobs;
        return 0;
    }
    case OPTION_INSECURE:
        parsed->core.insecure = true;
        return 0;
    case OPTION_DRAIN_TIME:
        parsed->core.drain_ms = read_seconds(state, "--drain-time", word);
        return 0;
    case OPTION_DRIVER_GRACE:
        parsed->core.driver_grace_ms = read_seconds(state, "--driver-grace", word);
        return 0;
    case 'v':
        parsed->log_level = ZONDA_LOG_DEBUG;
        return 0;
    case 'q':
        parsed->log_level = ZONDA_LOG_WARN;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int zn_cmd_coordinator(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Runs the coordinator of a cluster. Prints \"listening ENDPOINT\" when workers and drivers "
        "can connect; ends in order on SIGINT or SIGTERM.",
        NULL,
        NULL,
        NULL
    };
    coordinator_options parsed = { .core = { .bind = ZN_DEFAULT_ENDPOINT },
                                   .log_level = ZONDA_LOG_INFO };
    zn_cli_parse(&argp, argc, argv, &parsed);
    parsed.core.keys = zn_keys_folder(parsed.core.keys);
    zn_cli_log(parsed.log_level);
    zn_cli_catch_signals();
    zonda_error error = { 0 };
    zn_coordinator *coordinator = zn_coordinator_start(&parsed.core, &error);
    if (coordinator == NULL) {
        return zn_cli_fail(&error);
    }
    printf("listening %s\n", zn_coordinator_endpoint(coordinator));
    fflush(stdout);
    bool ended = false;
    while (!ended && !zn_cli_wait_signal(LOOK_MS)) {
        ended = zn_coordinator_ended(coordinator, &error);
    }
    zn_coordinator_stop(&coordinator);
    return ended ? zn_cli_fail(&error) : ZN_EXIT_DONE;
}
