/* SPDX-License-Identifier: MPL-2.0 */
/* Shared data on its way to many workers: every task asks for the same two big values, and says in
 * which slot it ran and when it waited for them. Prints {"seconds": …, "bytes": …,
 * "slots": …, "whole": …}: from the first question to the last answer, one copy's bytes, how many
 * slots took part, and the whole execution with the upload.
 *   blobs ENDPOINT PLUGIN BYTES TASKS        PLUGIN: bench_shared.so */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zonda/zonda.h>

enum {
    SLOTS_MAX = 64
};

typedef struct answers {
    uint64_t slots[SLOTS_MAX];
    size_t slot_count;
    double first;
    double last;
} answers;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int fail(const zonda_error *error) {
    char text[2048];
    fprintf(stderr, "blobs: %s\n", zonda_error_format(error, text, sizeof text));
    return 1;
}

static void add_slot(answers *self, uint64_t slot) {
    for (size_t i = 0; i < self->slot_count; i++) {
        if (self->slots[i] == slot) {
            return;
        }
    }
    if (self->slot_count < SLOTS_MAX) {
        self->slots[self->slot_count++] = slot;
    }
}

/* For zonda_execute: [slot, asked, answered]. */
static zonda_err take_answer(void *context, const void *record, size_t bytes) {
    answers *self = context;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    zonda_err err = ZONDA_ERR_INVALID;
    if (msgpack_unpack_next(&unpacked, record, bytes, NULL) == MSGPACK_UNPACK_SUCCESS) {
        const msgpack_object *answer = unpacked.data.via.array.ptr;
        double asked = answer[1].via.f64;
        double answered = answer[2].via.f64;
        add_slot(self, answer[0].via.u64);
        self->first = self->first == 0 || asked < self->first ? asked : self->first;
        self->last = answered > self->last ? answered : self->last;
        err = ZONDA_OK;
    }
    msgpack_unpacked_destroy(&unpacked);
    return err;
}

/* Puts a value of bytes that nothing makes smaller. */
static zonda_err put_value(zonda_cluster *cluster, const char *name, size_t bytes,
                           zonda_error *error) {
    msgpack_sbuffer value;
    msgpack_sbuffer_init(&value);
    msgpack_packer packer;
    msgpack_packer_init(&packer, &value, msgpack_sbuffer_write);
    uint64_t *words = calloc(bytes / 8 + 1, 8);
    if (words == NULL) {
        abort();
    }
    uint64_t state = (uint64_t)(now() * 1e9) | 1;
    for (size_t i = 0; i < bytes / 8; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[i] = state;
    }
    msgpack_pack_bin(&packer, bytes);
    msgpack_pack_bin_body(&packer, words, bytes);
    free(words);
    zonda_err err = zonda_cluster_put(cluster, name, value.data, value.size, error);
    msgpack_sbuffer_destroy(&value);
    return err;
}

static int run(zonda_cluster *cluster, const zonda_plugin *plugin, uint64_t tasks, answers *seen,
               zonda_error *error) {
    zonda_dataset *ds = zonda_from_range(tasks, &(zonda_range_options){ .shards = tasks });
    ds = zonda_map(ds, zonda_plugin_fn(plugin, "touch"));
    zonda_result *result = zonda_execute(
        cluster, ds, &(zonda_execute_options){ .on_record = take_answer, .context = seen }, error);
    zonda_dataset_destroy(&ds);
    if (result == NULL) {
        return fail(error);
    }
    zonda_result_destroy(&result);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: blobs ENDPOINT PLUGIN BYTES TASKS\n");
        return 2;
    }
    zonda_error error = { 0 };
    size_t bytes = strtoull(argv[3], NULL, 10);
    uint64_t tasks = strtoull(argv[4], NULL, 10);
    zonda_plugin *plugin = zonda_plugin_open(argv[2], &error);
    zonda_cluster *cluster = plugin == NULL ? NULL : zonda_cluster_connect(argv[1], NULL, &error);
    /* Two, because one value has at most 64 MiB. */
    if (cluster == NULL || put_value(cluster, "first", bytes / 2, &error) != ZONDA_OK ||
        put_value(cluster, "second", bytes / 2, &error) != ZONDA_OK) {
        zonda_plugin_close(&plugin);
        zonda_cluster_close(&cluster);
        return fail(&error);
    }
    answers seen = { 0 };
    double start = now();
    int status = run(cluster, plugin, tasks, &seen, &error);
    double whole = now() - start;
    if (status == 0) {
        printf("{\"seconds\": %.6f, \"bytes\": %zu, \"slots\": %zu, \"whole\": %.6f}\n",
               seen.last - seen.first, bytes, seen.slot_count, whole);
    }
    zonda_cluster_close(&cluster);
    zonda_plugin_close(&plugin);
    return status;
}
