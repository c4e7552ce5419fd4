/* SPDX-License-Identifier: MPL-2.0 */
/* The parts that every command needs: option parsing with argp, error output, exit statuses, and
 * signals. A signal only sets a flag and writes a byte into a pipe; whoever waits looks there, so
 * one Ctrl-C always ends a command in order. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "cli/describe.h"

static volatile int interrupted;
static int signal_pipe[2] = { -1, -1 };

void zn_cli_parse(const struct argp *argp, int argc, char **argv, void *context) {
    if (argc == 2 && strcmp(argv[1], ZN_DESCRIBE_OPTION) == 0) {
        zn_describe_command(argp, stdout);
        exit(fflush(stdout) == 0 ? ZN_EXIT_DONE : ZN_EXIT_FAILED);
    }
    argp_err_exit_status = ZN_EXIT_USAGE;
    error_t rc = argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, context);
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(rc));
        exit(ZN_EXIT_USAGE);
    }
}

static int exit_status_of(zonda_err code) {
    switch (code) {
    case ZONDA_OK:
        return ZN_EXIT_DONE;
    case ZONDA_ERR_INVALID:
    case ZONDA_ERR_PLAN:
    case ZONDA_ERR_PLAN_CHANGED:
    case ZONDA_ERR_REFUSED:
        return ZN_EXIT_USAGE;
    case ZONDA_ERR_UNREACHABLE:
    case ZONDA_ERR_TIMEOUT:
    case ZONDA_ERR_VERSION:
    case ZONDA_ERR_KEYS:
        return ZN_EXIT_UNREACHABLE;
    default:
        return ZN_EXIT_FAILED;
    }
}

int zn_cli_fail(const zonda_error *error) {
    char text[4096];
    fprintf(stderr, "zonda: %s\n", zonda_error_format(error, text, sizeof text));
    /* From a task it is said of records, not of words. */
    bool of_data = error->code == ZONDA_ERR_INVALID && error->has_shard;
    return of_data ? ZN_EXIT_FAILED : exit_status_of(error->code);
}

void zn_cli_log(zonda_log_level level) {
    zonda_log_set(zonda_log_stderr, level, NULL);
}

static void on_signal(int number) {
    (void)number;
    int saved = errno;
    interrupted += interrupted < INT_MAX ? 1 : 0;
    ssize_t rc = write(signal_pipe[1], "", 1);
    (void)rc; /* a full pipe has already said it */
    errno = saved;
}

const volatile int *zn_cli_catch_signals(void) {
    if (signal_pipe[0] < 0) {
        int rc = pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK);
        ZN_ASSERT(rc == 0);
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
    }
    return &interrupted;
}

bool zn_cli_wait_signals(int count, int timeout_ms) {
    struct pollfd item = { .fd = signal_pipe[0], .events = POLLIN };
    char seen[16];
    while (interrupted < count && poll(&item, 1, timeout_ms) > 0 &&
           read(signal_pipe[0], seen, sizeof seen) > 0 && timeout_ms < 0) {
    }
    return interrupted >= count;
}

bool zn_cli_wait_signal(int timeout_ms) {
    return zn_cli_wait_signals(1, timeout_ms);
}

/* Digits at the beginning of a text; `end` is what comes behind them. */
static bool read_digits(const char *text, const char **end, uint64_t *out) {
    char *behind = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &behind, 10);
    *end = behind;
    return errno == 0;
}

bool zn_cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    const char *end = NULL;
    uint64_t value = 0;
    if (!read_digits(text, &end, &value) || *end != '\0' || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool zn_cli_size(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    static const char units[] = "KMGT";
    const char *end = NULL;
    uint64_t value = 0;
    if (!read_digits(text, &end, &value)) {
        return false;
    }
    const char *unit = *end == '\0' ? NULL : strchr(units, *end);
    unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
    if (end[unit != NULL] != '\0' || value > UINT64_MAX >> shift || value << shift < min ||
        value << shift > max) {
        return false;
    }
    *out = value << shift;
    return true;
}

void zn_cli_memory(const struct argp_state *state, const char *text, uint64_t *out) {
    if (!zn_cli_size(text, ZN_MEMORY_BYTES_MIN, UINT64_MAX, out)) {
        argp_error(state, "--memory: '%s' is not a size of at least %uM, such as 512M", text,
                   ZN_MEMORY_BYTES_MIN / ZN_MIB);
    }
}
