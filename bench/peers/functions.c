/* SPDX-License-Identifier: MPL-2.0 */
/* The plug-in of bench/peers: what the other peers say in Python, in C. */
#include <stdlib.h>
#include <string.h>
#include <zonda/plugin.h>

enum {
    FIRST_BYTES = 16384 /* of the text of a group; it grows by doubling */
};

static void pack_text(msgpack_packer *out, const char *text, size_t bytes) {
    msgpack_pack_str(out, bytes);
    msgpack_pack_str_body(out, text, bytes);
}

/* For map: the record as it is. */
static zonda_err same(zonda_task *task, const msgpack_object *args, size_t arg_count,
                      msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    return msgpack_pack_object(out, args[0]) == 0 ? ZONDA_OK : zonda_task_fail(task, "no memory");
}

/* For flat_map: a line → {"w": word} for each of its words. */
static zonda_err words(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)arg_count;
    if (args[0].type != MSGPACK_OBJECT_STR) {
        return zonda_task_fail_permanent(task, "a line is wanted");
    }
    const char *at = args[0].via.str.ptr;
    const char *end = at + args[0].via.str.size;
    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank != NULL ? blank : end;
        if (stop > at) {
            msgpack_pack_map(out, 1);
            pack_text(out, "w", 1);
            pack_text(out, at, (size_t)(stop - at));
        }
        at = stop + 1;
    }
    return ZONDA_OK;
}

/* The field of a row; NULL if it is not a text. */
static const msgpack_object_str *text_of(const msgpack_object *row, const char *name) {
    for (uint32_t i = 0; row->type == MSGPACK_OBJECT_MAP && i < row->via.map.size; i++) {
        const msgpack_object_kv *pair = &row->via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == strlen(name) &&
            memcmp(pair->key.via.str.ptr, name, strlen(name)) == 0) {
            return pair->val.type == MSGPACK_OBJECT_STR ? &pair->val.via.str : NULL;
        }
    }
    return NULL;
}

/* Puts a text behind others; false if there is no memory. */
static bool append(char **text, size_t *bytes, size_t *room, const msgpack_object_str *more) {
    while (*bytes + more->size > *room) {
        char *larger = realloc(*text, *room * 2);
        if (larger == NULL) {
            return false;
        }
        *text = larger;
        *room *= 2;
    }
    memcpy(*text + *bytes, more->ptr, more->size);
    *bytes += more->size;
    return true;
}

/* For group_by: {"k": key, "n": number of rows, "t": their texts in a row}. */
static zonda_err join(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                      msgpack_packer *out) {
    size_t count = 0;
    size_t bytes = 0;
    size_t room = FIRST_BYTES;
    char *text = malloc(room);
    bool good = text != NULL;
    const msgpack_object *row = NULL;
    while (good && (row = zonda_rows_next(rows)) != NULL) {
        const msgpack_object_str *more = text_of(row, "t");
        good = more != NULL && append(&text, &bytes, &room, more);
        count++;
    }
    if (good) {
        msgpack_pack_map(out, 3);
        pack_text(out, "k", 1);
        msgpack_pack_object(out, *key);
        pack_text(out, "n", 1);
        msgpack_pack_uint64(out, count);
        pack_text(out, "t", 1);
        pack_text(out, text, bytes);
    }
    free(text);
    return good ? ZONDA_OK : zonda_task_fail(task, "no memory, or a row without a text");
}

static const zonda_plugin_function functions[] = {
    { "same", { .call = same } },
    { "words", { .call = words } },
    { "join", { .group = join } },
};
ZONDA_PLUGIN("peers", functions);
