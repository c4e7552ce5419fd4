/* SPDX-License-Identifier: MPL-2.0 */
/* Large packages by section, as a driver program with an operator in C:
 *   packages [MINIMUM-KIB [OUTPUT-FOLDER]]
 * Reads examples/data, writes a JSONL file per shard, prints their names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zonda/zonda.h>

/* Finds a field of a map; NULL if it is absent. */
static const msgpack_object *field(const msgpack_object *record, const char *name) {
    if (record->type != MSGPACK_OBJECT_MAP) {
        return NULL;
    }
    for (uint32_t i = 0; i < record->via.map.size; i++) {
        const msgpack_object_kv *pair = &record->via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == strlen(name) &&
            memcmp(pair->key.via.str.ptr, name, pair->key.via.str.size) == 0) {
            return &pair->val;
        }
    }
    return NULL;
}

/* Keeps a record whose installed_size is over the shared value "minimum". */
static zonda_err is_large(zonda_task *task, const msgpack_object *args, size_t arg_count,
                          msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *minimum = NULL;
    zonda_err code = zonda_task_shared(task, "minimum", &minimum);
    if (code != ZONDA_OK) {
        return code;
    }
    const msgpack_object *size = field(&args[0], "installed_size");
    bool large = size != NULL && size->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                 size->via.u64 > minimum->via.u64;
    large ? msgpack_pack_true(out) : msgpack_pack_false(out);
    return zonda_task_counter(task, "large", large);
}

/* Puts the limit where every task can read it. */
static zonda_err put_minimum(zonda_cluster *cluster, const char *text, zonda_error *error) {
    msgpack_sbuffer value;
    msgpack_sbuffer_init(&value);
    msgpack_packer packer;
    msgpack_packer_init(&packer, &value, msgpack_sbuffer_write);
    msgpack_pack_uint64(&packer, strtoull(text, NULL, 10));
    zonda_err code = zonda_cluster_put(cluster, "minimum", value.data, value.size, error);
    msgpack_sbuffer_destroy(&value);
    return code;
}

/* Prints the records of a result: here the names of the files, which are strings. */
static zonda_err print_paths(zonda_result *result, zonda_error *error) {
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    zonda_err code = ZONDA_OK;
    while ((code = zonda_result_next(result, &record, &bytes, &got, error)) == ZONDA_OK && got) {
        msgpack_unpacked path;
        msgpack_unpacked_init(&path);
        if (msgpack_unpack_next(&path, record, bytes, NULL) == MSGPACK_UNPACK_SUCCESS) {
            printf("%.*s\n", (int)path.data.via.str.size, path.data.via.str.ptr);
        }
        msgpack_unpacked_destroy(&path);
    }
    return code;
}

int main(int argc, char **argv) {
    zonda_error error = { 0 };
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s/{shard:05d}-of-{total:05d}.jsonl",
             argc > 2 ? argv[2] : "out");
    zonda_register("is_large", &(zonda_function){ .call = is_large }, &error);

    zonda_cluster *cluster = zonda_cluster_open_local(&(zonda_local_options){ .slots = 2 }, &error);
    zonda_dataset *ds = zonda_read("examples/data/packages-*.jsonl.zst", NULL);
    ds = zonda_filter(ds, zonda_fn("is_large"));
    ds = zonda_select(ds, "package", "section", "installed_size", NULL);
    ds = zonda_write_jsonl(ds, pattern, NULL);

    zonda_result *result = NULL;
    if (cluster != NULL && put_minimum(cluster, argc > 1 ? argv[1] : "10000", &error) == ZONDA_OK) {
        result = zonda_execute(cluster, ds, &(zonda_execute_options){ .name = "packages" }, &error);
    }
    if (result == NULL || print_paths(result, &error) != ZONDA_OK) {
        char text[2048];
        fprintf(stderr, "packages: %s\n", zonda_error_format(&error, text, sizeof text));
    }
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&ds);
    zonda_cluster_close(&cluster);
    return error.code == ZONDA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
