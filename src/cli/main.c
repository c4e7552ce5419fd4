/* SPDX-License-Identifier: MPL-2.0 */
/* The program: finds the command and runs it. Each command is one file with its own options; what
 * `--help` says comes from the same tables that parse. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/describe.h"

static const zn_command commands[] = {
    { "run", zn_cmd_run, "run a pipeline or a Lua script, here or on a cluster" },
    { "coordinator", zn_cmd_coordinator, "run the coordinator of a cluster" },
    { "worker", zn_cmd_worker, "run a worker on this host" },
    { "status", zn_cmd_status, "show what a cluster is doing" },
    { "jobs", zn_cmd_jobs, "list the jobs of a cluster" },
    { "workers", zn_cmd_workers, "list the workers of a cluster" },
    { "explain", zn_cmd_explain, "say what a job, stage or task is doing and what it waits for" },
    { "cancel", zn_cmd_cancel, "cancel a job" },
    { "history", zn_cmd_history, "list the jobs that have ended" },
    { "drain", zn_cmd_drain, "let a worker finish what it runs and leave" },
    { "keygen", zn_cmd_keygen, "make keys for a cluster that other machines can reach" },
    { "slot", zn_cmd_slot, NULL },
};

enum {
    COMMAND_COUNT = sizeof commands / sizeof *commands
};

static void print_help(FILE *out) {
    fputs("Usage: zonda COMMAND [OPTION…] …\n"
          "Runs dataset pipelines in this process, on this machine or on many hosts.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].doc != NULL) {
            fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].doc);
        }
    }
    fputs("\n`zonda COMMAND --help` says more about a command; `zonda --version` prints the "
          "version.\n"
          "Example: zonda run from-range 1000000 --shards 8 then count\n\n"
          "Exit status: ",
          out);
#define PRINT_EXIT(name, number, text)                                                             \
    fprintf(out, "%s%d %s", (number) == ZN_EXIT_DONE ? "" : ", ", number, text);
    ZN_EXIT_LIST(PRINT_EXIT)
#undef PRINT_EXIT
    fputs(".\n", out);
}

static int run_command(const zn_command *command, int argc, char **argv) {
    char *name = zn_format("zonda %s", command->name);
    argv[0] = name;
    int status = command->run(argc, argv);
    if (fflush(stdout) != 0 && status == ZN_EXIT_DONE) {
        perror("zonda: standard output");
        status = ZN_EXIT_FAILED;
    }
    argv[0] = NULL;
    free(name);
    return status;
}

int main(int argc, char **argv) {
    /* A file that may not grow (ulimit -f) is a full disk: an error of a write, not the end. */
    signal(SIGXFSZ, SIG_IGN);
    argp_program_version = "zonda " ZONDA_VERSION;
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return ZN_EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts(argp_program_version);
        return ZN_EXIT_DONE;
    }
    if (strcmp(word, ZN_DESCRIBE_OPTION) == 0) {
        zn_describe_program(commands, COMMAND_COUNT, stdout);
        return ZN_EXIT_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return run_command(&commands[i], argc - 1, argv + 1);
        }
    }
    if (word[0] == '\0') {
        print_help(stderr);
    } else {
        fprintf(stderr, "zonda: unknown command '%s'; `zonda --help` lists the commands\n", word);
    }
    return ZN_EXIT_USAGE;
}
