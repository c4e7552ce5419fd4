/* SPDX-License-Identifier: MPL-2.0 */
/* Many small jobs, one after the other, each with a result that is checked: a map, a shuffle, a
 * sort into files, and one that fails. Every few jobs it is another client. Prints the number of
 * jobs that are done whenever it is a multiple of a hundred. jobs ENDPOINT COUNT FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zonda/zonda.h>

enum {
    JOBS_PER_CLIENT = 5,
    SINK_EVERY = 10,
    FAILING_EVERY = 25
};

static zonda_dataset *numbers(void) {
    return zonda_from_range(40, &(zonda_range_options){ .shards = 4 });
}

static zonda_dataset *make(unsigned long number, const char *folder) {
    if (number % FAILING_EVERY == 0) {
        return zonda_map(numbers(), zonda_lua("error('as it should')"));
    }
    if (number % SINK_EVERY == 0) {
        char pattern[4096];
        snprintf(pattern, sizeof pattern, "%s/{shard}.jsonl", folder);
        zonda_dataset *sorted =
            zonda_sort(zonda_map(numbers(), zonda_lua("{ k = -r }")), zonda_field("k"), NULL);
        return zonda_write_jsonl(sorted, pattern, NULL);
    }
    if (number % 2 == 0) {
        zonda_dataset *mapped = zonda_map(numbers(), zonda_lua("{ k = r % 5 }"));
        return zonda_count(zonda_deduplicate(mapped, zonda_field("k"), NULL));
    }
    return zonda_count(zonda_filter(numbers(), zonda_lua("r % 2 == 0")));
}

/* What the count of records in the result, or its first record, has to be. */
static bool is_right(unsigned long number, zonda_result *result, zonda_error *error) {
    const uint8_t *record = NULL;
    const void *bytes = NULL;
    size_t len = 0;
    bool got = false;
    if (result == NULL) {
        return number % FAILING_EVERY == 0 && error->code == ZONDA_ERR_USER;
    }
    if (zonda_result_next(result, &bytes, &len, &got, error) != ZONDA_OK || !got) {
        return false;
    }
    record = bytes;
    return number % SINK_EVERY == 0 || (len == 1 && record[0] == (number % 2 == 0 ? 5 : 20));
}

static bool run(zonda_cluster *cluster, unsigned long number, const char *folder) {
    zonda_error error = { 0 };
    zonda_dataset *ds = make(number, folder);
    zonda_result *result = zonda_execute(cluster, ds, NULL, &error);
    bool right = is_right(number, result, &error);
    if (!right) {
        char text[2048];
        fprintf(stderr, "job %lu: %s\n", number, zonda_error_format(&error, text, sizeof text));
    }
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&ds);
    return right;
}

int main(int argc, char **argv) {
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    zonda_cluster *cluster = NULL;
    zonda_error error = { 0 };
    bool right = count > 0;
    for (unsigned long i = 1; right && i <= count; i++) {
        if (i % JOBS_PER_CLIENT == 1) {
            zonda_cluster_close(&cluster);
            cluster = zonda_cluster_connect(argv[1], NULL, &error);
        }
        right = cluster != NULL && run(cluster, i, argv[3]);
        if (right && i % 100 == 0) {
            printf("%lu\n", i);
            fflush(stdout);
        }
    }
    zonda_cluster_close(&cluster);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
