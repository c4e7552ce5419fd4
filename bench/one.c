/* SPDX-License-Identifier: MPL-2.0 */
/* One task at a time, in this process or on a cluster.
 *   one latency ENDPOINT|local COUNT        COUNT executions of one task, from the submission to
 * the result: {"median_us": …, "p99_us": …, "closed_us": …}, the last with the end of the job, as a
 * median one stages ENDPOINT|local COUNT KIND    one execution of COUNT stages of one task each:
 *                                           {"seconds": …, "stages": …}
 * KIND is "count": each stage counts the one record that the stage before it gave; or "reshard":
 * each stage writes its record as rows of a shuffle, which the next one reads. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zonda/zonda.h>

enum {
    WARM_UP = 20
};

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int fail(const zonda_error *error) {
    char text[2048];
    fprintf(stderr, "one: %s\n", zonda_error_format(error, text, sizeof text));
    return 1;
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

typedef struct seen {
    size_t count;
    uint8_t first; /* byte of the first record */
} seen;

static zonda_err take_record(void *context, const void *record, size_t bytes) {
    seen *self = context;
    if (self->count++ == 0 && bytes == 1) {
        memcpy(&self->first, record, 1);
    }
    return ZONDA_OK;
}

/* Executes; NULL with a word on stderr if it fails or the result is not the one number. */
static zonda_result *execute(zonda_cluster *cluster, const zonda_dataset *ds, uint8_t number) {
    zonda_error error = { 0 };
    seen found = { 0, 255 };
    zonda_execute_options options = { .on_record = take_record, .context = &found };
    zonda_result *result = zonda_execute(cluster, ds, &options, &error);
    if (result == NULL) {
        fail(&error);
    } else if (found.count != 1 || found.first != number) {
        fprintf(stderr, "one: %zu records, the first is %u\n", found.count, found.first);
        zonda_result_destroy(&result);
    }
    return result;
}

static int measure_latency(zonda_cluster *cluster, size_t count) {
    double *times = calloc(count, sizeof *times);
    double *closed = calloc(count, sizeof *closed);
    bool right = times != NULL && closed != NULL;
    for (size_t i = 0; right && i < WARM_UP + count; i++) {
        double start = now_us();
        zonda_dataset *ds = zonda_from_range(1, &(zonda_range_options){ .shards = 1 });
        zonda_result *result = execute(cluster, ds, 0);
        double there = now_us() - start;
        zonda_dataset_destroy(&ds);
        right = result != NULL;
        zonda_result_destroy(&result);
        if (i >= WARM_UP) {
            times[i - WARM_UP] = there;
            closed[i - WARM_UP] = now_us() - start;
        }
    }
    if (right) {
        qsort(times, count, sizeof *times, compare);
        qsort(closed, count, sizeof *closed, compare);
        printf("{\"median_us\": %.1f, \"p99_us\": %.1f, \"closed_us\": %.1f}\n", times[count / 2],
               times[count * 99 / 100], closed[count / 2]);
    }
    free(times);
    free(closed);
    return right ? 0 : 1;
}

/* `count` stages: the source is in the first one, and every link begins the next. */
static zonda_dataset *make_chain(size_t count, bool by_count) {
    zonda_dataset *ds = zonda_from_range(1, &(zonda_range_options){ .shards = 1 });
    for (size_t i = 1; i < count; i++) {
        ds = by_count ? zonda_count(ds) : zonda_reshard(ds, 1);
    }
    return ds;
}

static int run_chain(zonda_cluster *cluster, size_t count, bool by_count, bool tell) {
    zonda_dataset *ds = make_chain(count, by_count);
    double start = now_us();
    zonda_result *result = execute(cluster, ds, by_count ? 1 : 0);
    double seconds = (now_us() - start) / 1e6;
    zonda_dataset_destroy(&ds);
    if (result == NULL) {
        return 1;
    }
    size_t stages = zonda_result_stage_count(result);
    zonda_result_destroy(&result);
    if (stages != count) {
        fprintf(stderr, "one: %zu stages, not %zu\n", stages, count);
        return 1;
    }
    if (tell) {
        printf("{\"seconds\": %.6f, \"stages\": %zu}\n", seconds, stages);
    }
    return 0;
}

int main(int argc, char **argv) {
    bool latency = argc == 4 && strcmp(argv[1], "latency") == 0;
    bool by_count = argc == 5 && strcmp(argv[4], "count") == 0;
    bool by_reshard = argc == 5 && strcmp(argv[4], "reshard") == 0;
    if (!latency && !((by_count || by_reshard) && strcmp(argv[1], "stages") == 0)) {
        fprintf(stderr, "usage: one latency ENDPOINT|local COUNT\n"
                        "       one stages ENDPOINT|local COUNT count|reshard\n");
        return 2;
    }
    zonda_error error = { 0 };
    zonda_cluster *cluster =
        strcmp(argv[2], "local") == 0
            ? zonda_cluster_open_local(&(zonda_local_options){ .slots = 2 }, &error)
            : zonda_cluster_connect(argv[2], NULL, &error);
    if (cluster == NULL) {
        return fail(&error);
    }
    size_t count = strtoull(argv[3], NULL, 10);
    int status;
    if (latency) {
        status = measure_latency(cluster, count);
    } else {
        status = run_chain(cluster, 3, by_count, false); /* starts slots and fills caches */
        status = status == 0 ? run_chain(cluster, count, by_count, true) : status;
    }
    zonda_cluster_close(&cluster);
    return status;
}
