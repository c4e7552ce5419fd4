/* SPDX-License-Identifier: MPL-2.0 */
/* What the commands of the program share. */
#ifndef ZN_CLI_CLI_H
#define ZN_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <zonda/zonda.h>

/* Exit statuses, as the manual promises them. */
#define ZN_EXIT_LIST(X)                                                                            \
    X(DONE, 0, "done")                                                                             \
    X(FAILED, 1, "the job failed")                                                                 \
    X(USAGE, 2, "usage")                                                                           \
    X(UNREACHABLE, 3, "cluster unreachable")                                                       \
    X(INTERRUPTED, 130, "interrupted")

enum {
#define ZN_EXIT_ENUM(name, number, text) ZN_EXIT_##name = number,
    ZN_EXIT_LIST(ZN_EXIT_ENUM)
#undef ZN_EXIT_ENUM
};

#define ZN_DEFAULT_ENDPOINT "tcp://127.0.0.1:7070"

/* What --keys says for all commands that connect to a cluster. */
#define ZN_KEYS_DOC                                                                                \
    "folder with the keys to talk to a cluster that has some (`zonda keygen`); default: "          \
    "$ZONDA_KEYS"

typedef struct zn_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is "zonda NAME" */
    const char *doc;                   /* NULL: not shown */
} zn_command;

int zn_cmd_run(int argc, char **argv);
int zn_cmd_keygen(int argc, char **argv);
int zn_cmd_coordinator(int argc, char **argv);
int zn_cmd_worker(int argc, char **argv);
int zn_cmd_slot(int argc, char **argv);
int zn_cmd_status(int argc, char **argv);
int zn_cmd_jobs(int argc, char **argv);
int zn_cmd_workers(int argc, char **argv);
int zn_cmd_explain(int argc, char **argv);
int zn_cmd_cancel(int argc, char **argv);
int zn_cmd_drain(int argc, char **argv);
int zn_cmd_history(int argc, char **argv);

/* Parses with argp; a wrong command line ends the program with ZN_EXIT_USAGE. */
void zn_cli_parse(const struct argp *argp, int argc, char **argv, void *context);

/* Prints "zonda: " and the error on standard error; returns the exit status that fits it. */
int zn_cli_fail(const zonda_error *error);

/* Log lines from `level` on go to standard error. */
void zn_cli_log(zonda_log_level level);

/* After this SIGINT, SIGTERM and SIGHUP are counted. Returns the count. */
const volatile int *zn_cli_catch_signals(void);

/* Waits until one was caught or `timeout_ms` is over; true when caught. */
bool zn_cli_wait_signal(int timeout_ms);

/* The same for `count` of them. */
bool zn_cli_wait_signals(int count, int timeout_ms);

/* A number option: false unless `text` is a whole decimal number in [min, max]. */
bool zn_cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The same for a number of bytes, which may end in K, M, G or T: units of 1024. */
bool zn_cli_size(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Reads the value of --memory; ends the program with a message if it is none. */
void zn_cli_memory(const struct argp_state *state, const char *text, uint64_t *out);

#endif
