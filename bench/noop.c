/* SPDX-License-Identifier: MPL-2.0 */
/* No-op tasks through the whole system: every task is a shard with one record, which a filter
 * drops. In this process, or on a cluster. Prints {"seconds": …, "tasks": …}.
 *   noop local SLOTS TASKS
 *   noop ENDPOINT - TASKS */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zonda/zonda.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int fail(const zonda_error *error) {
    char text[2048];
    fprintf(stderr, "noop: %s\n", zonda_error_format(error, text, sizeof text));
    return 1;
}

/* Runs `tasks` tasks once; checks that all of them ran. */
static int run(zonda_cluster *cluster, uint64_t tasks, zonda_error *error) {
    zonda_dataset *ds = zonda_from_range(tasks, &(zonda_range_options){ .shards = tasks });
    ds = zonda_filter(ds, zonda_lua("false"));
    zonda_result *result = zonda_execute(cluster, ds, NULL, error);
    zonda_dataset_destroy(&ds);
    if (result == NULL) {
        return fail(error);
    }
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    uint64_t read = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, "records_in") == 0) {
            read = (uint64_t)counters[i].sum;
        }
    }
    zonda_result_destroy(&result);
    if (read != tasks) {
        fprintf(stderr, "noop: %" PRIu64 " of %" PRIu64 " tasks ran\n", read, tasks);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: noop local SLOTS TASKS | noop ENDPOINT - TASKS\n");
        return 2;
    }
    zonda_error error = { 0 };
    uint64_t tasks = strtoull(argv[3], NULL, 10);
    zonda_local_options local = { .slots = (uint32_t)strtoul(argv[2], NULL, 10) };
    zonda_cluster *cluster = strcmp(argv[1], "local") == 0
                                 ? zonda_cluster_open_local(&local, &error)
                                 : zonda_cluster_connect(argv[1], NULL, &error);
    if (cluster == NULL) {
        return fail(&error);
    }
    /* The first run starts slots and fills caches. */
    int status = run(cluster, 1000, &error);
    double start = now();
    if (status == 0) {
        status = run(cluster, tasks, &error);
    }
    double seconds = now() - start;
    zonda_cluster_close(&cluster);
    if (status == 0) {
        printf("{\"seconds\": %.6f, \"tasks\": %" PRIu64 "}\n", seconds, tasks);
    }
    return status;
}
