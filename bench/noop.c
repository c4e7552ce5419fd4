/* SPDX-License-Identifier: MPL-2.0 */
/* No-op tasks through the whole system, in this process or on a cluster. Prints {"seconds": …,
 * "tasks": …}, from the submission to the last result.
 *   noop local SLOTS TASKS KIND
 *   noop ENDPOINT - TASKS KIND
 * KIND is "same": every task is a shard with one record, which a filter drops; "numbers": each
 * gives its number; "distinct": each has an argument of 64 bytes that no other has, and gives it
 * back turned around. All results are checked. With "wait" as one more argument no other run comes
 * first, and the results are held until the input of the program ends. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zonda/zonda.h>

enum {
    TEXT_BYTES = 64,
    ITEM_BYTES = 2 + TEXT_BYTES /* MessagePack: str 8 */
};

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

/* The argument of a task: its number and what a mixing function makes of it, so that nothing
 * shrinks it. */
static void write_item(uint64_t task, char item[ITEM_BYTES]) {
    uint64_t parts[4] = { task };
    for (int i = 1; i < 4; i++) {
        uint64_t mixed = (parts[i - 1] + (uint64_t)i) * UINT64_C(0x9E3779B97F4A7C15);
        mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
        parts[i] = mixed ^ (mixed >> 32);
    }
    static const char digits[] = "0123456789abcdef";
    item[0] = (char)0xd9;
    item[1] = TEXT_BYTES;
    for (int i = 0; i < TEXT_BYTES; i++) {
        item[2 + i] = digits[parts[i / 16] >> (4 * (i % 16)) & 15];
    }
}

static zonda_dataset *make_same(uint64_t tasks) {
    zonda_dataset *ds = zonda_from_range(tasks, &(zonda_range_options){ .shards = tasks });
    return zonda_filter(ds, zonda_lua("false"));
}

static zonda_dataset *make_numbers(uint64_t tasks) {
    zonda_dataset *ds = zonda_from_range(tasks, &(zonda_range_options){ .shards = tasks });
    return zonda_map(ds, zonda_lua("r"));
}

static zonda_dataset *make_distinct(uint64_t tasks) {
    char *items = malloc(tasks * ITEM_BYTES + 1);
    if (items == NULL) {
        abort();
    }
    for (uint64_t i = 0; i < tasks; i++) {
        write_item(i, items + i * ITEM_BYTES);
    }
    zonda_dataset *ds = zonda_from_list(items, tasks * ITEM_BYTES);
    free(items);
    return zonda_map(ds, zonda_lua("string.reverse(r)"));
}

static bool check_number(uint64_t task, const uint8_t *record, size_t bytes) {
    static const uint8_t heads[] = { 0xcc, 0xcd, 0xce }; /* uint 8, 16, 32 */
    if (task < 128) {
        return bytes == 1 && record[0] == task;
    }
    int size = task < 256 ? 0 : task < 65536 ? 1 : 2;
    uint64_t number = 0;
    for (size_t i = 1; i < bytes && i < 5; i++) {
        number = number << 8 | record[i];
    }
    return bytes == 1 + (1u << size) && record[0] == heads[size] && number == task;
}

static bool check_distinct(uint64_t task, const uint8_t *record, size_t bytes) {
    char item[ITEM_BYTES];
    write_item(task, item);
    bool right = bytes == ITEM_BYTES && memcmp(record, item, 2) == 0;
    for (int i = 0; right && i < TEXT_BYTES; i++) {
        right = record[2 + i] == (uint8_t)item[ITEM_BYTES - 1 - i];
    }
    return right;
}

typedef struct task_kind {
    const char *name;
    zonda_dataset *(*make)(uint64_t tasks);
    bool (*check)(uint64_t task, const uint8_t *record, size_t bytes); /* NULL: no results */
} task_kind;

static const task_kind kinds[] = {
    { "same", make_same, NULL },
    { "numbers", make_numbers, check_number },
    { "distinct", make_distinct, check_distinct },
};

static const task_kind *find_kind(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

typedef struct checked {
    const task_kind *kind;
    uint64_t count;
    bool wrong;
} checked;

/* For zonda_execute: the result of the next task. */
static zonda_err take_record(void *context, const void *record, size_t bytes) {
    checked *self = context;
    uint64_t task = self->count++;
    self->wrong =
        self->wrong || self->kind->check == NULL || !self->kind->check(task, record, bytes);
    return ZONDA_OK;
}

static uint64_t records_read(const zonda_result *result) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, "records_in") == 0) {
            return (uint64_t)counters[i].sum;
        }
    }
    return 0;
}

static void wait_for_end_of_input(void) {
    while (getchar() != EOF) {
        continue;
    }
}

/* Runs `tasks` tasks once; checks that all of them ran, and what they gave. */
static int run(zonda_cluster *cluster, const task_kind *kind, uint64_t tasks, bool tell,
               bool wait) {
    zonda_error error = { 0 };
    zonda_dataset *ds = kind->make(tasks);
    checked seen = { .kind = kind };
    double start = now();
    zonda_result *result = zonda_execute(
        cluster, ds, &(zonda_execute_options){ .on_record = take_record, .context = &seen },
        &error);
    double seconds = now() - start;
    zonda_dataset_destroy(&ds);
    if (result == NULL) {
        return fail(&error);
    }
    uint64_t read = records_read(result);
    bool right = read == tasks && seen.count == (kind->check == NULL ? 0 : tasks) && !seen.wrong;
    if (!right) {
        fprintf(stderr, "noop: %" PRIu64 " of %" PRIu64 " tasks ran, %" PRIu64 " results%s\n", read,
                tasks, seen.count, seen.wrong ? ", wrong ones" : "");
    } else if (tell) {
        printf("{\"seconds\": %.6f, \"tasks\": %" PRIu64 "}\n", seconds, tasks);
        fflush(stdout);
    }
    if (wait) {
        wait_for_end_of_input();
    }
    zonda_result_destroy(&result);
    return right ? 0 : 1;
}

int main(int argc, char **argv) {
    const task_kind *kind = argc < 5 ? NULL : find_kind(argv[4]);
    if (kind == NULL) {
        fprintf(stderr, "usage: noop local SLOTS TASKS same|numbers|distinct [wait]\n"
                        "       noop ENDPOINT - TASKS same|numbers|distinct [wait]\n");
        return 2;
    }
    zonda_error error = { 0 };
    uint64_t tasks = strtoull(argv[3], NULL, 10);
    bool wait = argc > 5;
    zonda_local_options local = { .slots = (uint32_t)strtoul(argv[2], NULL, 10) };
    zonda_cluster *cluster = strcmp(argv[1], "local") == 0
                                 ? zonda_cluster_open_local(&local, &error)
                                 : zonda_cluster_connect(argv[1], NULL, &error);
    if (cluster == NULL) {
        return fail(&error);
    }
    /* The first run starts slots and fills caches. */
    int status = wait ? 0 : run(cluster, kind, 1000, false, false);
    if (status == 0) {
        status = run(cluster, kind, tasks, true, wait);
    }
    zonda_cluster_close(&cluster);
    return status;
}
