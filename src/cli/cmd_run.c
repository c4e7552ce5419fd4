/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda run`: builds datasets from verbs or from a Lua script and executes them, in this process
 * or on a cluster. Records go to standard output as JSONL while they arrive; everything else goes
 * to standard error. Ctrl-C cancels the job and waits until its attempts have ended. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "cli/counters.h"
#include "cli/pipeline.h"
#include "cli/progress.h"
#include "cli/stats.h"
#include "cli/verb_help.h"
#include "record/json.h"

enum {
    OPTION_COUNTERS = 1000,
    OPTION_CRASH_RETRIES,
    OPTION_DETACH,
    OPTION_DRY_RUN,
    OPTION_HANG_TIMEOUT,
    OPTION_INFRA_RETRIES,
    OPTION_JSON,
    OPTION_KEYS,
    OPTION_LUA_INSTRUCTIONS,
    OPTION_LUA_MEMORY,
    OPTION_MEMORY,
    OPTION_NAME,
    OPTION_NO_BACKUPS,
    OPTION_PLUGIN,
    OPTION_RETRIES,
    OPTION_SCRATCH,
    OPTION_STATS,
    OPTION_TIMEOUT,
    OPTION_TRACE
};

typedef struct run_options {
    const char *connect; /* NULL: in this process */
    const char *keys;    /* NULL: as the environment says */
    const char *name;
    const char *scratch;
    uint64_t slots;
    uint64_t memory_bytes;
    uint64_t timeout_s;
    bool counters;
    bool stats;
    const char *trace; /* file; NULL: none */
    uint64_t lua_memory_bytes;
    uint64_t lua_instructions;
    uint64_t user_attempts; /* 0: as usual, like the next three */
    uint64_t infra_attempts;
    uint64_t crash_attempts;
    uint64_t hang_s;
    bool no_backups;
    const char **plugins; /* files */
    size_t plugin_count;
    size_t plugin_capacity;
    bool detach;
    bool dry_run;
    zn_progress_mode progress;
    zonda_log_level log_level;
    bool log;
    char **words; /* the pipeline */
    size_t word_count;
} run_options;

/* Where the records of an execution go. */
typedef struct output {
    zn_buf text;
    bool broken;         /* nobody reads standard output any more */
    zonda_error failure; /* why a record could not be printed */
    zn_progress_display display;
} output;

static const struct argp_option options[] = {
    { "connect", 'c', "ENDPOINT", 0, "run on the cluster at ENDPOINT; default: in this process",
      0 },
    { "keys", OPTION_KEYS, "DIR", 0, "with --connect: " ZN_KEYS_DOC, 0 },
    { "slots", 's', "N", 0, "in this process: tasks that run at a time; default: the processors",
      0 },
    { "memory", OPTION_MEMORY, "SIZE", 0,
      "in this process: memory of each slot for sorting, grouping and joining, which use the "
      "scratch "
      "folder for what is more; K, M, G are units; default: what the machine or the control group "
      "has, divided by the slots",
      0 },
    { "name", OPTION_NAME, "NAME", 0,
      "name of the job; if one of that name was left behind by a run that was killed, it goes on "
      "where it was",
      0 },
    { "detach", OPTION_DETACH, NULL, 0,
      "with --connect and --name: the job stays, and goes on with what was started, when this run "
      "is ended by anything but Ctrl-C; the same command goes on with it",
      0 },
    { "dry-run", OPTION_DRY_RUN, NULL, 0, "print what would run, run nothing", 0 },
    { "counters", OPTION_COUNTERS, NULL, 0, "at the end show what was counted, by stage", 0 },
    { "stats", OPTION_STATS, NULL, 0, "at the end show where the time of slots went, by stage", 0 },
    { "trace", OPTION_TRACE, "FILE", 0,
      "write what every slot did when as a Chrome trace, for Perfetto; of the second dataset of a "
      "script to FILE.2, and so on",
      0 },
    { "scratch", OPTION_SCRATCH, "DIR", 0, "folder for large results; default $TMPDIR or /tmp", 0 },
    { "timeout", OPTION_TIMEOUT, "SECONDS", 0,
      "how long the coordinator may take for an answer; default 30", 0 },
    { "plugin", OPTION_PLUGIN, "FILE", 0,
      "a shared library whose functions verbs name as @NAME, or @FILE:NAME if there are several",
      0 },
    { "lua-memory", OPTION_LUA_MEMORY, "SIZE", 0,
      "memory of each Lua function in each slot; K, M, G are units; default 256M", 0 },
    { "lua-instructions", OPTION_LUA_INSTRUCTIONS, "N", 0,
      "Lua instructions of each call of a function; default 1000000000", 0 },
    { "retries", OPTION_RETRIES, "N", 0,
      "how often a task is tried again after its code failed; default 2", 0 },
    { "infra-retries", OPTION_INFRA_RETRIES, "N", 0,
      "how often it is tried again after its worker was lost or a disk was full; default 19", 0 },
    { "crash-retries", OPTION_CRASH_RETRIES, "N", 0,
      "how often it is tried again after its slot died or it hung; default 2", 0 },
    { "hang-timeout", OPTION_HANG_TIMEOUT, "SECONDS", 0,
      "an attempt that reads and gives no record for so long is ended; default: never", 0 },
    { "no-backups", OPTION_NO_BACKUPS, NULL, 0,
      "give slow tasks at the end of a stage no second attempt", 0 },
    { "quiet", 'q', NULL, 0, "show no progress", 0 },
    { "json", OPTION_JSON, NULL, 0, "show progress as JSON objects, for machines", 0 },
    { "verbose", 'v', NULL, 0, "show log lines", 0 },
    { 0 },
};

/* Only notes it: reading waits until the command line is known to be right. */
static void add_plugin(run_options *parsed, const char *path) {
    ZN_GROW(parsed->plugins, parsed->plugin_count, parsed->plugin_capacity);
    parsed->plugins[parsed->plugin_count++] = path;
}

/* The options about Lua functions. */
static error_t parse_lua(int key, char *word, struct argp_state *state) {
    run_options *parsed = state->input;
    switch (key) {
    case OPTION_LUA_MEMORY:
        if (!zn_cli_size(word, ZN_LUA_MEMORY_BYTES_MIN, SIZE_MAX, &parsed->lua_memory_bytes)) {
            argp_error(state, "--lua-memory: '%s' is not a size of at least %uK, such as 64M", word,
                       ZN_LUA_MEMORY_BYTES_MIN / ZN_KIB);
        }
        return 0;
    case OPTION_LUA_INSTRUCTIONS:
        if (!zn_cli_number(word, 1, UINT64_MAX, &parsed->lua_instructions)) {
            argp_error(state, "--lua-instructions: '%s' is not a number from 1", word);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A number of retries is kept as a number of attempts, of which 0 means the usual one. */
static void parse_retries(struct argp_state *state, const char *option, const char *word,
                          uint64_t *attempts) {
    if (!zn_cli_number(word, 0, ZN_ATTEMPTS_MAX - 1, attempts)) {
        argp_error(state, "%s: '%s' is not a number from 0 to %d", option, word,
                   ZN_ATTEMPTS_MAX - 1);
    }
    *attempts += 1;
}

/* The options about what is shown of a job when it is over. */
static error_t parse_reports(int key, char *word, struct argp_state *state) {
    run_options *parsed = state->input;
    switch (key) {
    case OPTION_COUNTERS:
        parsed->counters = true;
        return 0;
    case OPTION_STATS:
        parsed->stats = true;
        return 0;
    case OPTION_TRACE:
        parsed->trace = word;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The options about attempts of tasks. */
static error_t parse_attempts(int key, char *word, struct argp_state *state) {
    run_options *parsed = state->input;
    switch (key) {
    case OPTION_RETRIES:
        parse_retries(state, "--retries", word, &parsed->user_attempts);
        return 0;
    case OPTION_INFRA_RETRIES:
        parse_retries(state, "--infra-retries", word, &parsed->infra_attempts);
        return 0;
    case OPTION_CRASH_RETRIES:
        parse_retries(state, "--crash-retries", word, &parsed->crash_attempts);
        return 0;
    case OPTION_HANG_TIMEOUT:
        if (!zn_cli_number(word, 1, ZN_HANG_MS_MAX / 1000, &parsed->hang_s)) {
            argp_error(state, "--hang-timeout: '%s' is not a number of seconds from 1 to %d", word,
                       ZN_HANG_MS_MAX / 1000);
        }
        return 0;
    case OPTION_NO_BACKUPS:
        parsed->no_backups = true;
        return 0;
    default:
        return parse_reports(key, word, state);
    }
}

static error_t parse(int key, char *word, struct argp_state *state) {
    run_options *parsed = state->input;
    switch (key) {
    case 'c':
        parsed->connect = word;
        return 0;
    case OPTION_KEYS:
        parsed->keys = word;
        return 0;
    case 's':
        if (!zn_cli_number(word, 1, ZN_SLOTS_MAX, &parsed->slots)) {
            argp_error(state, "--slots: '%s' is not a number from 1 to %d", word, ZN_SLOTS_MAX);
        }
        return 0;
    case OPTION_MEMORY:
        zn_cli_memory(state, word, &parsed->memory_bytes);
        return 0;
    case OPTION_NAME:
        parsed->name = word;
        return 0;
    case OPTION_DETACH:
        parsed->detach = true;
        return 0;
    case OPTION_DRY_RUN:
        parsed->dry_run = true;
        return 0;
    case OPTION_SCRATCH:
        parsed->scratch = word;
        return 0;
    case OPTION_TIMEOUT:
        if (!zn_cli_number(word, 1, 86400, &parsed->timeout_s)) {
            argp_error(state, "--timeout: '%s' is not a number of seconds from 1 to 86400", word);
        }
        return 0;
    case OPTION_PLUGIN:
        add_plugin(parsed, word);
        return 0;
    case 'q':
        parsed->progress = ZN_PROGRESS_QUIET;
        return 0;
    case OPTION_JSON:
        parsed->progress = ZN_PROGRESS_JSON;
        return 0;
    case 'v':
        parsed->log_level = ZONDA_LOG_DEBUG;
        parsed->log = true;
        return 0;
    case ARGP_KEY_ARG:
        /* The first plain word begins the pipeline; all that follows belongs to it. */
        parsed->words = state->argv + state->next - 1;
        parsed->word_count = (size_t)(state->argc - state->next + 1);
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a pipeline or a script is missing");
        return 0;
    case ARGP_KEY_END:
        if (parsed->detach && (parsed->connect == NULL || parsed->name == NULL)) {
            argp_error(state, "--detach needs --connect and --name, or nobody finds the job again");
        }
        return 0;
    default:
        return parse_lua(key, word, state) == 0 ? 0 : parse_attempts(key, word, state);
    }
}

static zonda_err flush_output(output *out, zonda_error *error) {
    const uint8_t *at = out->text.data;
    size_t left = out->text.len;
    while (left > 0) {
        ssize_t written = write(STDOUT_FILENO, at, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            out->broken = errno == EPIPE;
            return zn_error_set(error, ZONDA_ERR_IO, "standard output: %s", strerror(errno));
        }
        at += written;
        left -= (size_t)written;
    }
    zn_buf_reset(&out->text, ZN_MIB);
    return ZONDA_OK;
}

static zonda_err print_record(void *context, const void *record, size_t bytes) {
    output *out = context;
    zn_bytes value = { record, bytes };
    zonda_err code = zn_json_write(value, &out->text, &out->failure);
    if (code != ZONDA_OK) {
        return code;
    }
    zn_buf_append_byte(&out->text, '\n');
    if (out->text.len >= 64 * ZN_KIB || out->display.terminal) {
        zn_progress_clear(&out->display);
        code = flush_output(out, &out->failure);
    }
    return code;
}

static void show_progress(void *context, const zonda_progress *progress) {
    output *out = context;
    zn_progress_update(&out->display, progress);
}

static zonda_cluster *open_cluster(const run_options *parsed, zonda_error *error) {
    if (parsed->connect != NULL) {
        zonda_connect_options connect = { .timeout_ms = (uint32_t)parsed->timeout_s * 1000,
                                          .keys = parsed->keys };
        return zonda_cluster_connect(parsed->connect, &connect, error);
    }
    zonda_local_options local = { .slots = (uint32_t)parsed->slots,
                                  .scratch = parsed->scratch,
                                  .memory_bytes = parsed->memory_bytes };
    return zonda_cluster_open_local(&local, error);
}

/* Executes one dataset as the job `name` (may be NULL); prints its records. */
static int execute(zonda_cluster *cluster, const zonda_dataset *dataset, const char *name,
                   const char *trace, const run_options *parsed, const volatile int *cancel) {
    output out = { 0 };
    zonda_error error = { 0 };
    zn_progress_start(&out.display, parsed->progress, name);
    zonda_execute_options execute = { .name = name,
                                      .detach = parsed->detach,
                                      .on_record = print_record,
                                      .on_progress = show_progress,
                                      .context = &out,
                                      .cancel = cancel,
                                      .lua_memory_bytes = parsed->lua_memory_bytes,
                                      .lua_instructions = parsed->lua_instructions,
                                      .user_attempts = (uint32_t)parsed->user_attempts,
                                      .infra_attempts = (uint32_t)parsed->infra_attempts,
                                      .crash_attempts = (uint32_t)parsed->crash_attempts,
                                      .hang_ms = (uint32_t)parsed->hang_s * 1000,
                                      .no_backups = parsed->no_backups,
                                      .profile = parsed->stats,
                                      .trace = trace };
    zonda_result *result = zonda_execute(cluster, dataset, &execute, &error);
    int status = ZN_EXIT_DONE;
    zn_progress_clear(&out.display);
    if (result != NULL && flush_output(&out, &error) == ZONDA_OK) {
        zn_progress_finish(&out.display, result);
        if (parsed->counters) {
            zn_counters_print(result, stderr);
        }
        if (parsed->stats) {
            zn_stats_print(result, stderr);
        }
    } else if (*cancel) {
        fputs("zonda: interrupted, the job was cancelled\n", stderr);
        status = ZN_EXIT_INTERRUPTED;
    } else if (!out.broken) {
        zonda_error ignored;
        (void)flush_output(&out, &ignored);
        status = zn_cli_fail(out.failure.code != ZONDA_OK ? &out.failure : &error);
    }
    zonda_result_destroy(&result);
    zn_buf_free(&out.text);
    if (out.broken) {
        zonda_cluster_close(&cluster);
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return status;
}

static int dry_run(const zn_pipeline *pipeline) {
    for (size_t i = 0; i < pipeline->count; i++) {
        zonda_error error = { 0 };
        char *text = zonda_dataset_explain(pipeline->datasets[i], &error);
        if (text == NULL) {
            return zn_cli_fail(&error);
        }
        fputs(text, stdout);
        free(text);
    }
    return ZN_EXIT_DONE;
}

/* The job of a dataset: of several each has a name of its own, by which it is found again. */
static char *name_of(const run_options *parsed, size_t index) {
    if (parsed->name == NULL) {
        return NULL;
    }
    return index == 0 ? zn_strdup(parsed->name) : zn_format("%s/%zu", parsed->name, index + 1);
}

/* The file for the trace of a dataset. */
static char *trace_of(const run_options *parsed, size_t index) {
    if (parsed->trace == NULL) {
        return NULL;
    }
    return index == 0 ? zn_strdup(parsed->trace) : zn_format("%s.%zu", parsed->trace, index + 1);
}

static int run(const run_options *parsed, const zn_pipeline *pipeline) {
    const volatile int *cancel = zn_cli_catch_signals();
    if (parsed->detach) {
        /* Ending so cancels nothing; there is nothing else to be put in order. */
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
    }
    zonda_error error = { 0 };
    zonda_cluster *cluster = open_cluster(parsed, &error);
    if (cluster == NULL) {
        return zn_cli_fail(&error);
    }
    int status = zn_pipeline_put_shared(pipeline, cluster, &error) == ZONDA_OK
                     ? ZN_EXIT_DONE
                     : zn_cli_fail(&error);
    for (size_t i = 0; i < pipeline->count && status == ZN_EXIT_DONE; i++) {
        char *name = name_of(parsed, i);
        char *trace = trace_of(parsed, i);
        status = execute(cluster, pipeline->datasets[i], name, trace, parsed, cancel);
        free(trace);
        free(name);
    }
    zonda_cluster_close(&cluster);
    return status;
}

static zonda_err build(const run_options *parsed, zn_pipeline *pipeline, zonda_error *error) {
    pipeline->limits = (zn_lua_limits){ .memory_bytes = (size_t)parsed->lua_memory_bytes,
                                        .instructions = parsed->lua_instructions };
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; i < parsed->plugin_count && code == ZONDA_OK; i++) {
        code = zn_plugin_list_load(&pipeline->plugins, parsed->plugins[i], NULL, error);
    }
    if (code == ZONDA_OK) {
        code = zn_pipeline_build(parsed->words, parsed->word_count, pipeline, error);
    }
    if (code != ZONDA_OK) {
        zn_pipeline_free(pipeline);
    }
    return code;
}

int zn_cmd_run(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse,
        "PIPELINE…\nSCRIPT.lua [ARGUMENT…]",
        "Runs a pipeline, written as verbs or as a Lua script. Records go to standard output, one "
        "JSON value a line."
        "\v"
        "EXPR is a Lua expression in which a bare name is a field of the record and\n"
        "`r` the record; in reduce `a` is the accumulated value. BLOCK is a Lua block\n"
        "with `emit`, and in group-by with `key` and `rows`. For both, @NAME is a\n"
        "function of a plug-in. KEY is a field, several joined by commas, or EXPR. VALUE\n"
        "is JSON, or a text if it is not.\n"
        "\n"
        "Examples:\n"
        "  zonda run read 'data/*.jsonl.zst' then filter 'size > 10000' then count\n"
        "  zonda run from-range 1000000 --shards 8 then map 'r * r' then count\n"
        "  zonda run --connect tcp://host:7070 script.lua 10000",
        NULL,
        zn_verbs_help_filter,
        NULL
    };
    run_options parsed = { 0 };
    zn_cli_parse(&argp, argc, argv, &parsed);
    if (parsed.log) {
        zn_cli_log(parsed.log_level);
    }
    signal(SIGPIPE, SIG_IGN);
    zonda_error error = { 0 };
    zn_pipeline pipeline = { 0 };
    int status = ZN_EXIT_DONE;
    if (build(&parsed, &pipeline, &error) != ZONDA_OK) {
        status = zn_cli_fail(&error);
    } else {
        status = parsed.dry_run ? dry_run(&pipeline) : run(&parsed, &pipeline);
    }
    zn_pipeline_free(&pipeline);
    free(parsed.plugins);
    return status;
}
