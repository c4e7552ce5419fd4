/* SPDX-License-Identifier: MPL-2.0 */
/* What the system gives for `each`: processes that each start a program with posix_spawn, one after
 * the other, and wait for its end. Prints {"seconds": …, "tasks": …}.
 *   spawn PROCESSES TASKS PROGRAM */
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int spawn_all(uint64_t count, char *program) {
    char *words[] = { program, NULL };
    for (uint64_t i = 0; i < count; i++) {
        pid_t pid = 0;
        int status = 0;
        if (posix_spawn(&pid, program, NULL, NULL, words, environ) != 0 ||
            waitpid(pid, &status, 0) != pid || status != 0) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: spawn PROCESSES TASKS PROGRAM\n");
        return 2;
    }
    uint64_t processes = strtoull(argv[1], NULL, 10);
    uint64_t tasks = strtoull(argv[2], NULL, 10);
    double start = now();
    for (uint64_t i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(spawn_all(tasks / processes + (i < tasks % processes), argv[3]));
        }
        if (pid < 0) {
            perror("spawn: fork");
            return 1;
        }
    }
    int failed = 0;
    for (uint64_t i = 0; i < processes; i++) {
        int status = 1;
        wait(&status);
        failed += status != 0;
    }
    double seconds = now() - start;
    if (failed > 0) {
        fprintf(stderr, "spawn: %s failed\n", argv[3]);
        return 1;
    }
    printf("{\"seconds\": %.6f, \"tasks\": %" PRIu64 "}\n", seconds, tasks);
    return 0;
}
