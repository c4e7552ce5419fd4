/* SPDX-License-Identifier: MPL-2.0 */
/* The plug-in of the rows of data: what a user would write in C. */
#include <inttypes.h>
#include <string.h>
#include <zonda/plugin.h>

static const msgpack_object *field(const msgpack_object *record, const char *name, size_t bytes) {
    for (uint32_t i = 0; i < record->via.map.size; i++) {
        const msgpack_object_kv *pair = &record->via.map.ptr[i];
        if (pair->key.via.str.size == bytes && memcmp(pair->key.via.str.ptr, name, bytes) == 0) {
            return &pair->val;
        }
    }
    return NULL;
}

static zonda_err pack_truth(msgpack_packer *out, int truth) {
    if (truth) {
        msgpack_pack_true(out);
    } else {
        msgpack_pack_false(out);
    }
    return ZONDA_OK;
}

/* filter: is the field size over 100,000? */
static zonda_err is_large(zonda_task *task, const msgpack_object *args, size_t arg_count,
                          msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    const msgpack_object *size = field(&args[0], "size", 4);
    return pack_truth(out, size != NULL && size->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                               size->via.u64 > 100000);
}

/* filter: has the line the word of the row `text`? See NEEDLE of rows_data.py. */
static zonda_err has_needle(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    static const char needle[] = "qezgnliclo";
    const msgpack_object_str *line = &args[0].via.str;
    return pack_truth(out, memmem(line->ptr, line->size, needle, sizeof needle - 1) != NULL);
}

/* flat_map: {w: word} for each word of a line */
static zonda_err words(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    const char *at = args[0].via.str.ptr;
    const char *end = at + args[0].via.str.size;
    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        size_t bytes = (size_t)((space != NULL ? space : end) - at);
        if (bytes > 0) {
            msgpack_pack_map(out, 1);
            msgpack_pack_str(out, 1);
            msgpack_pack_str_body(out, "w", 1);
            msgpack_pack_str(out, bytes);
            msgpack_pack_str_body(out, at, bytes);
        }
        at += bytes + 1;
    }
    return ZONDA_OK;
}

/* group_by: {c: number of rows, s: sum of n} */
static zonda_err tally(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                       msgpack_packer *out) {
    (void)key;
    uint64_t count = 0, sum = 0;
    const msgpack_object *row = NULL;
    while ((row = zonda_rows_next(rows)) != NULL) {
        const msgpack_object *n = field(row, "n", 1);
        if (n == NULL || n->type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
            return zonda_task_fail_permanent(task, "a row without n");
        }
        sum += n->via.u64 - (UINT64_C(1) << 40);
        count++;
    }
    msgpack_pack_map(out, 2);
    msgpack_pack_str(out, 1);
    msgpack_pack_str_body(out, "c", 1);
    msgpack_pack_uint64(out, count);
    msgpack_pack_str(out, 1);
    msgpack_pack_str_body(out, "s", 1);
    msgpack_pack_uint64(out, sum);
    return ZONDA_OK;
}

static const zonda_plugin_function functions[] = {
    { "is_large", { .call = is_large } },
    { "has_needle", { .call = has_needle } },
    { "words", { .call = words } },
    { "tally", { .group = tally } },
};
ZONDA_PLUGIN("bench-functions", functions);
