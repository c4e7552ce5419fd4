/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda worker`: runs a worker with process slots until a signal or the end of its cluster, and
 * `zonda slot`, the program of such a slot, which only a worker starts. */
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "wire/keys.h"
#include "worker/worker.h"

enum {
    OPTION_SCRATCH = 1000,
    OPTION_DATA,
    OPTION_MEMORY,
    OPTION_INSECURE,
    OPTION_KEYS,
    OPTION_PARENT,
    OPTION_INDEX,
    WAIT_MS = 100
};

typedef struct worker_options {
    zn_worker_options core;
    zonda_log_level log_level;
} worker_options;

static const struct argp_option options[] = {
    { "connect", 'c', "ENDPOINT", 0, "the coordinator's endpoint; default " ZN_DEFAULT_ENDPOINT,
      0 },
    { "slots", 's', "N", 0, "tasks that run at a time; default: the number of processors", 0 },
    { "memory", OPTION_MEMORY, "SIZE", 0,
      "memory of each slot for sorting, grouping and joining, which use the scratch folder for "
      "what "
      "is more; K, M, G are units; default: what the machine or the control group has, divided by "
      "the slots",
      0 },
    { "scratch", OPTION_SCRATCH, "DIR", 0,
      "folder for large results; default: a new one in $TMPDIR or /tmp", 0 },
    { "data", OPTION_DATA, "ENDPOINT", 0,
      "where others fetch results from this worker; default: chosen like the coordinator's", 0 },
    { "keys", OPTION_KEYS, "DIR", 0, ZN_KEYS_DOC, 0 },
    { "insecure", OPTION_INSECURE, NULL, 0,
      "allow a data endpoint that other machines can reach, without keys", 0 },
    { "verbose", 'v', NULL, 0, "log more", 0 },
    { "quiet", 'q', NULL, 0, "log warnings and errors only", 0 },
    { 0 },
};

static error_t parse(int key, char *word, struct argp_state *state) {
    worker_options *parsed = state->input;
    uint64_t number = 0;
    switch (key) {
    case 'c':
        parsed->core.connect = word;
        return 0;
    case 's':
        if (!zn_cli_number(word, 1, ZN_SLOTS_MAX, &number)) {
            argp_error(state, "--slots: '%s' is not a number from 1 to %d", word, ZN_SLOTS_MAX);
        }
        parsed->core.slots = (uint32_t)number;
        return 0;
    case OPTION_MEMORY:
        zn_cli_memory(state, word, &parsed->core.memory_bytes);
        return 0;
    case OPTION_SCRATCH:
        parsed->core.scratch = word;
        return 0;
    case OPTION_DATA:
        parsed->core.data_bind = word;
        return 0;
    case OPTION_KEYS:
        parsed->core.keys = word;
        return 0;
    case OPTION_INSECURE:
        parsed->core.insecure = true;
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

static int run_worker(const zn_worker_options *core) {
    zonda_error error = { 0 };
    zn_worker *worker = zn_worker_start(core, &error);
    if (worker == NULL) {
        return zn_cli_fail(&error);
    }
    bool ended = false;
    while (!ended && !zn_cli_wait_signal(0)) {
        ended = zn_worker_wait(worker, WAIT_MS, &error);
    }
    if (!ended) {
        zn_worker_drain(worker);
    }
    while (!ended && !zn_cli_wait_signals(2, 0)) {
        ended = zn_worker_wait(worker, WAIT_MS, &error);
    }
    zn_worker_stop(&worker);
    return ended && error.code != ZONDA_OK ? zn_cli_fail(&error) : ZN_EXIT_DONE;
}

int zn_cmd_worker(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Runs a worker: connects to a coordinator, waits for it where needed, and runs tasks in "
        "slots, each a process of its own. Ends with its cluster. On SIGINT or SIGTERM it is "
        "drained: it finishes what it runs, and stays while an open job needs its results; at the "
        "second signal it leaves at once.",
        NULL,
        NULL,
        NULL
    };
    worker_options parsed = { .core = { .connect = ZN_DEFAULT_ENDPOINT, .kind = ZN_SLOT_PROCESS },
                              .log_level = ZONDA_LOG_INFO };
    zn_cli_parse(&argp, argc, argv, &parsed);
    parsed.core.keys = zn_keys_folder(parsed.core.keys);
    zn_cli_log(parsed.log_level);
    zn_cli_catch_signals();
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        perror("zonda: /proc/self/exe");
        return ZN_EXIT_FAILED;
    }
    program[length] = '\0';
    parsed.core.program = program;
    return run_worker(&parsed.core);
}

typedef struct slot_options {
    const char *endpoint;
    const char *scratch;
    uint64_t index;
    const char *keys;
    uint64_t memory;
    uint64_t parent;
} slot_options;

static const struct argp_option slot_option_list[] = {
    { "endpoint", 'e', "ENDPOINT", 0, "slots endpoint of the worker", 0 },
    { "index", OPTION_INDEX, "N", 0, "number of the slot", 0 },
    { "scratch", OPTION_SCRATCH, "DIR", 0, "folder for segments", 0 },
    { "memory", OPTION_MEMORY, "BYTES", 0, "for what can grow", 0 },
    { "keys", OPTION_KEYS, "DIR", 0, "keys to fetch with", 0 },
    { "parent", OPTION_PARENT, "PID", 0, "the worker's process", 0 },
    { 0 },
};

static error_t parse_slot(int key, char *word, struct argp_state *state) {
    slot_options *parsed = state->input;
    switch (key) {
    case 'e':
        parsed->endpoint = word;
        return 0;
    case OPTION_SCRATCH:
        parsed->scratch = word;
        return 0;
    case OPTION_KEYS:
        parsed->keys = word;
        return 0;
    case OPTION_INDEX:
        return zn_cli_number(word, 0, ZN_SLOTS_MAX, &parsed->index) ? 0 : EINVAL;
    case OPTION_MEMORY:
        return zn_cli_number(word, 1, UINT64_MAX, &parsed->memory) ? 0 : EINVAL;
    case OPTION_PARENT:
        return zn_cli_number(word, 1, INT32_MAX, &parsed->parent) ? 0 : EINVAL;
    case ARGP_KEY_END:
        if (parsed->endpoint == NULL || parsed->scratch == NULL || parsed->memory == 0 ||
            parsed->parent == 0) {
            argp_error(state, "only a worker starts slots");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int zn_cmd_slot(int argc, char **argv) {
    static const struct argp argp = { slot_option_list,
                                      parse_slot,
                                      NULL,
                                      "Runs a slot of a worker; workers start it.",
                                      NULL,
                                      NULL,
                                      NULL };
    slot_options parsed = { 0 };
    zn_cli_parse(&argp, argc, argv, &parsed);
    zn_cli_log(ZONDA_LOG_WARN);
    return zn_slot_process_main(parsed.endpoint, (uint32_t)parsed.index, parsed.scratch,
                                parsed.memory, parsed.keys, (long)parsed.parent);
}
