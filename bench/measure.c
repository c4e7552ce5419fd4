/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a command and writes what it used: seconds, CPU of it and its children, and the largest
 * memory of any one of them. A parent of its own, because a process starts with the peak of the one
 * that started it, and Python's would hide that of a small program; and because it takes the times
 * without Python's delay. measure REPORT COMMAND [ARGUMENT…] */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: measure REPORT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    FILE *report = fopen(argv[1], "we");
    if (report == NULL) {
        perror(argv[1]);
        return 2;
    }
    double start = now();
    pid_t child = 0;
    int rc = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);
    if (rc != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(rc));
        return 127;
    }
    int status = 0;
    struct rusage used;
    if (wait4(child, &status, 0, &used) != child) {
        perror("measure: wait4");
        return 2;
    }
    fprintf(report, "{\"seconds\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld}\n",
            now() - start, seconds_of(used.ru_utime), seconds_of(used.ru_stime), used.ru_maxrss);
    fclose(report);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
