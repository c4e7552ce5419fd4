/* SPDX-License-Identifier: MPL-2.0 */
/* A plug-in: functions in C for pipelines, compiled to a shared library of its own.
 *   cc -shared -fPIC -o plugin.so plugin.c $(pkg-config --cflags zonda)
 *   zonda run --plugin ./plugin.so read 'data/packages-*.jsonl.zst' then map @shorten */
#include <stdlib.h>
#include <string.h>
#include <zonda/plugin.h>

enum {
    SHORT_BYTES = 40
};

/* Finds a field of a record; NULL if it is absent. */
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

static void pack_text(msgpack_packer *out, const char *text, size_t bytes) {
    msgpack_pack_str(out, bytes);
    msgpack_pack_str_body(out, text, bytes);
}

/* For map: {"package": …, "description": its first bytes}. */
static zonda_err shorten(zonda_task *task, const msgpack_object *args, size_t arg_count,
                         msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *package = field(&args[0], "package");
    const msgpack_object *text = field(&args[0], "description");
    if (package == NULL || text == NULL || text->type != MSGPACK_OBJECT_STR) {
        return zonda_task_fail_permanent(task, "the record has no package or no description");
    }
    size_t bytes = text->via.str.size < SHORT_BYTES ? text->via.str.size : SHORT_BYTES;
    while (bytes > 0 && bytes < text->via.str.size && (text->via.str.ptr[bytes] & 0xc0) == 0x80) {
        bytes--; /* not in the middle of a character */
    }
    zonda_task_counter(task, "bytes_cut", (int64_t)(text->via.str.size - bytes));
    msgpack_pack_map(out, 2);
    pack_text(out, "package", strlen("package"));
    msgpack_pack_object(out, *package);
    pack_text(out, "description", strlen("description"));
    pack_text(out, text->via.str.ptr, bytes);
    return ZONDA_OK;
}

/* For filter: is installed_size over the shared value "minimum"? */
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
    return ZONDA_OK;
}

/* For map: [shard, number of the record in it, record]. The number is state of the shard. */
static zonda_err open_count(zonda_task *task, void **state) {
    (void)task;
    *state = calloc(1, sizeof(uint64_t));
    return *state != NULL ? ZONDA_OK : zonda_task_fail(task, "no memory");
}

static zonda_err number(zonda_task *task, const msgpack_object *args, size_t arg_count,
                        msgpack_packer *out) {
    (void)arg_count;
    uint64_t *count = zonda_task_state(task);
    *count += 1;
    msgpack_pack_array(out, 3);
    msgpack_pack_uint64(out, zonda_task_shard(task));
    msgpack_pack_uint64(out, *count);
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

static void close_count(zonda_task *task, void *state) {
    (void)task;
    free(state);
}

static const zonda_plugin_function functions[] = {
    { "shorten", { .call = shorten } },
    { "is_large", { .call = is_large } },
    { "number", { .call = number, .open = open_count, .close = close_count } },
};

ZONDA_PLUGIN("packages", functions);
