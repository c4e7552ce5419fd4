/* SPDX-License-Identifier: MPL-2.0 */
/* The text of a manifest: one JSON object, so that people and other programs can read it. It begins
 * with the digest of all that it says about the plan and the inputs; two manifests are the same if
 * that is the same, so comparing them reads some bytes, however many inputs there are. The rest is
 * read only to say what differs. Comes from disk, so nothing about it is believed.
 * Used by manifest.c. */
#include "store/manifest_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/json.h"
#include "record/value.h"
#include "wire/shape.h"
#include "wire/text.h"

enum {
    VERSION = 1
};

/* The field of the document, which was checked. */
static zn_bytes field(const zn_manifest_words *words, const char *name) {
    zn_bytes value = { 0 };
    zn_value_field(words->document, zn_bytes_of_text(name), &value);
    return value;
}

static bool has_field(zn_bytes map, const char *name, zn_value_type type) {
    zn_bytes value = { 0 };
    return zn_value_field(map, zn_bytes_of_text(name), &value) && zn_value_head(value).type == type;
}

zonda_err zn_manifest_words_set(zn_bytes document, uint64_t shards, zn_manifest_words *out,
                                zonda_error *error) {
    zn_manifest_words words = { .document = document, .shards = shards };
    size_t used = 0;
    bool is_value = zn_shape_check(document, ZN_RECORD_DEPTH_MAX, &used, NULL) == ZONDA_OK &&
                    used == document.len;
    if (!is_value || !has_field(document, "operators", ZN_VALUE_STRING) ||
        !has_field(document, "plan", ZN_VALUE_BINARY) ||
        !has_field(document, "inputs", ZN_VALUE_ARRAY)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the manifest of a sink is not valid");
    }
    zn_buf all = { 0 };
    zn_buf_append(&all, document.data, document.len);
    zn_put_uint(&all, shards);
    words.content = zn_digest_of(zn_buf_bytes(&all));
    zn_buf_free(&all);
    *out = words;
    return ZONDA_OK;
}

/* Paths may be any bytes, JSON may not. */
static void put_path(zn_buf *out, zn_bytes path) {
    char *text = zn_strndup((const char *)path.data, path.len);
    for (size_t at = 0; at < path.len;) {
        size_t step = zn_text_character((zn_bytes){ (const uint8_t *)text + at, path.len - at });
        if (step == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
    zn_put_text(out, text);
    free(text);
}

static void put_inputs(zn_buf *out, zn_bytes inputs) {
    zn_cursor cursor = zn_cursor_of(inputs);
    uint32_t count = zn_cursor_read(&cursor).count;
    zn_put_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        zn_value input = zn_cursor_read(&cursor);
        zn_put_array(out, input.count);
        for (uint32_t j = 0; j < input.count; j++) {
            zn_bytes value = zn_cursor_skip(&cursor);
            if (zn_value_head(value).type == ZN_VALUE_STRING) {
                put_path(out, zn_value_head(value).bytes);
            } else {
                zn_buf_append(out, value.data, value.len);
            }
        }
    }
}

static void put_olds(zn_buf *out, const zn_manifest_olds *olds) {
    zn_put_array(out, (uint32_t)olds->count);
    for (size_t i = 0; i < olds->count; i++) {
        zn_put_array(out, 3);
        zn_put_uint(out, olds->items[i].shard);
        zn_put_uint(out, olds->items[i].info.bytes);
        zn_put_int(out, olds->items[i].info.modified_ns);
    }
}

/* What every text with these words begins with. */
static void put_head(const zn_manifest_words *words, zn_buf *out) {
    char content[ZN_DIGEST_TEXT];
    zn_buf_printf(out, "{\"zonda_manifest\":%d,\"content\":\"%s\"", VERSION,
                  zn_digest_text(words->content, content));
}

void zn_manifest_text_write(const zn_manifest_words *words, const zn_manifest_olds *olds,
                            zn_buf *out) {
    char plan[ZN_DIGEST_TEXT] = "";
    zn_digest digest;
    if (zn_digest_from_bytes(zn_value_head(field(words, "plan")).bytes, &digest)) {
        zn_digest_text(digest, plan);
    }
    zn_buf record = { 0 };
    zn_put_map(&record, 5);
    zn_put_text(&record, "operators");
    put_path(&record, zn_value_head(field(words, "operators")).bytes);
    zn_put_text(&record, "plan");
    zn_put_text(&record, plan);
    zn_put_text(&record, "shards");
    zn_put_uint(&record, words->shards);
    zn_put_text(&record, "inputs");
    put_inputs(&record, field(words, "inputs"));
    zn_put_text(&record, "old_outputs");
    put_olds(&record, olds);
    put_head(words, out);
    zn_buf_append_byte(out, ',');
    zn_buf rest = { 0 };
    zonda_error ignored;
    if (zn_json_write(zn_buf_bytes(&record), &rest, &ignored) == ZONDA_OK) {
        zn_buf_append(out, rest.data + 1, rest.len - 1);
    } else {
        /* Inputs of a shape that this version does not know: the head says enough. */
        zn_buf_append_text(out, "\"inputs\":[]}");
    }
    zn_buf_append_byte(out, '\n');
    zn_buf_free(&rest);
    zn_buf_free(&record);
}

bool zn_manifest_text_is(const zn_manifest_words *words, zn_bytes head) {
    zn_buf wanted = { 0 };
    put_head(words, &wanted);
    bool same = head.len >= wanted.len && memcmp(head.data, wanted.data, wanted.len) == 0;
    zn_buf_free(&wanted);
    return same;
}

static zonda_err parse(zn_bytes text, zn_buf *out, zonda_error *error) {
    zn_json_reader *reader = zn_json_reader_new();
    while (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
    }
    zonda_err err = zn_json_read(reader, text, out, error);
    zn_json_reader_destroy(&reader);
    uint64_t version = 0;
    if (err == ZONDA_ERR_UNSUPPORTED) {
        return err;
    }
    if (err != ZONDA_OK || !zn_value_field_uint(zn_buf_bytes(out), "zonda_manifest", &version) ||
        version != VERSION) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "this is no manifest of version %d", VERSION);
    }
    return ZONDA_OK;
}

static bool to_integer(zn_bytes value, int64_t *out) {
    zn_value head = zn_value_head(value);
    *out = head.type == ZN_VALUE_INT ? head.integer : 0;
    return head.type == ZN_VALUE_INT;
}

static bool read_old(zn_cursor *cursor, zn_manifest_old *out) {
    zn_bytes item = zn_cursor_skip(cursor);
    zn_cursor fields = zn_cursor_of(item);
    zn_value head = zn_cursor_read(&fields);
    int64_t shard = 0;
    int64_t bytes = 0;
    if (head.type != ZN_VALUE_ARRAY || head.count != 3 ||
        !to_integer(zn_cursor_skip(&fields), &shard) ||
        !to_integer(zn_cursor_skip(&fields), &bytes) ||
        !to_integer(zn_cursor_skip(&fields), &out->info.modified_ns) || shard < 0 || bytes < 0) {
        return false;
    }
    out->shard = (uint64_t)shard;
    out->info.bytes = (uint64_t)bytes;
    return true;
}

zonda_err zn_manifest_text_olds(zn_bytes text, zn_manifest_olds *out, zonda_error *error) {
    zn_buf record = { 0 };
    zn_bytes list = { 0 };
    zonda_err err = parse(text, &record, error);
    if (err == ZONDA_OK && !has_field(zn_buf_bytes(&record), "old_outputs", ZN_VALUE_ARRAY)) {
        err = zn_error_set(error, ZONDA_ERR_CORRUPT, "the manifest has no list of old outputs");
    }
    if (err == ZONDA_OK) {
        zn_value_field(zn_buf_bytes(&record), zn_bytes_of_text("old_outputs"), &list);
    }
    zn_cursor cursor = zn_cursor_of(list);
    uint32_t count = err == ZONDA_OK ? zn_cursor_read(&cursor).count : 0;
    for (uint32_t i = 0; i < count && err == ZONDA_OK; i++) {
        ZN_GROW(out->items, out->count, out->capacity);
        if (!read_old(&cursor, &out->items[out->count])) {
            err = zn_error_set(error, ZONDA_ERR_CORRUPT,
                               "old output %" PRIu32 " of the manifest is not valid", i);
        } else {
            out->count++;
        }
    }
    zn_buf_free(&record);
    return err;
}

typedef struct input {
    zn_bytes path;
    int64_t bytes;
    int64_t modified_ns;
} input;

/* The next of a list of inputs; all zero behind its end. */
static input next_input(zn_cursor *cursor, uint32_t *left) {
    input out = { 0 };
    if (*left == 0) {
        return out;
    }
    --*left;
    zn_cursor fields = zn_cursor_of(zn_cursor_skip(cursor));
    zn_value head = zn_cursor_read(&fields);
    if (head.type == ZN_VALUE_ARRAY && head.count == 3) {
        zn_value path = zn_value_head(zn_cursor_skip(&fields));
        out.path = path.type == ZN_VALUE_STRING ? path.bytes : out.path;
        to_integer(zn_cursor_skip(&fields), &out.bytes);
        to_integer(zn_cursor_skip(&fields), &out.modified_ns);
    }
    return out;
}

static int compare_paths(const input *a, const input *b) {
    if (a->path.len == 0 || b->path.len == 0) {
        return a->path.len == b->path.len ? 0 : a->path.len == 0 ? 1 : -1;
    }
    size_t len = a->path.len < b->path.len ? a->path.len : b->path.len;
    int order = memcmp(a->path.data, b->path.data, len);
    return order != 0 ? order : (a->path.len > b->path.len) - (a->path.len < b->path.len);
}

/* The first input that differs. Both lists are in the order of the plan, which sorts paths. */
static bool compare_inputs(zn_bytes then, zn_bytes now, zn_buf *out) {
    zn_cursor old_list = zn_cursor_of(then);
    zn_cursor new_list = zn_cursor_of(now);
    uint32_t old_left = zn_cursor_read(&old_list).count;
    uint32_t new_left = zn_cursor_read(&new_list).count;
    while (old_left > 0 || new_left > 0) {
        input was = next_input(&old_list, &old_left);
        input is = next_input(&new_list, &new_left);
        int order = compare_paths(&was, &is);
        const input *shown = order > 0 ? &is : &was;
        if (order == 0 && was.bytes == is.bytes && was.modified_ns == is.modified_ns) {
            continue;
        }
        int len = shown->path.len < 256 ? (int)shown->path.len : 256;
        zn_buf_printf(out, "the input %.*s ", len, (const char *)shown->path.data);
        if (order > 0) {
            zn_buf_append_text(out, "is new");
        } else if (order < 0) {
            zn_buf_append_text(out, "is not read any more");
        } else if (was.bytes != is.bytes) {
            zn_buf_printf(out, "has changed: it had %" PRId64 " bytes, now it has %" PRId64,
                          was.bytes, is.bytes);
        } else {
            zn_buf_append_text(out, "was modified since");
        }
        return true;
    }
    return false;
}

void zn_manifest_text_compare(const zn_manifest_words *words, zn_bytes text, zn_buf *out) {
    zn_buf record = { 0 };
    zn_bytes operators = { 0 };
    zn_bytes inputs = { 0 };
    uint64_t shards = 0;
    zonda_error error = { 0 };
    if (parse(text, &record, &error) != ZONDA_OK) {
        zn_buf_append_text(out, error.text);
        zn_buf_free(&record);
        return;
    }
    zn_bytes old = zn_buf_bytes(&record);
    zn_bytes now = zn_value_head(field(words, "operators")).bytes;
    zn_value_field_uint(old, "shards", &shards);
    if (zn_value_field_text(old, "operators", &operators) && !zn_bytes_equal(operators, now)) {
        int old_len = operators.len < 256 ? (int)operators.len : 256;
        int now_len = now.len < 256 ? (int)now.len : 256;
        zn_buf_printf(out, "they are of the plan %.*s, this is %.*s", old_len,
                      (const char *)operators.data, now_len, (const char *)now.data);
    } else if (has_field(old, "inputs", ZN_VALUE_ARRAY) &&
               zn_value_field(old, zn_bytes_of_text("inputs"), &inputs) &&
               compare_inputs(inputs, field(words, "inputs"), out)) {
        /* It has said which. */
    } else if (shards != words->shards) {
        zn_buf_printf(out, "they are of %" PRIu64 " shards, now there are %" PRIu64, shards,
                      words->shards);
    } else {
        zn_buf_append_text(out, "they are of another plan: functions, arguments, items or shared "
                                "data differ");
    }
    zn_buf_free(&record);
}
