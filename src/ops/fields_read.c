/* SPDX-License-Identifier: MPL-2.0 */
/* Finds out which fields of a record the operators of a chain read, so that a source need not give
 * them more. A field too many costs time; one too few would be a wrong result. So everything that
 * is not certain reads all fields: functions in C, functions of scripts, and operators that are not
 * known here.
 *
 * Of an expression or block in Lua it is certain without understanding it. A bare name is a field,
 * and so is a name behind `r` and a dot; whichever fields the text reads, their names stand in it
 * as words, since names have no other spelling. All its words, those in comments and texts too, are
 * more than enough. Only `r` as a whole, in any other place than before a dot and a name, and _ENV
 * can reach fields by names that are computed. */
#include "ops/fields_read.h"

#include <string.h>

#include "ops/lua_words.h"
#include "ops/op_list.h"
#include "record/value.h"

bool zn_field_names_add(zn_field_names *names, zn_bytes name) {
    for (size_t i = 0; i < names->count; i++) {
        if (zn_bytes_equal(names->names[i], name)) {
            return true;
        }
    }
    if (names->count == ZN_FIELDS_READ_MAX) {
        return false;
    }
    names->names[names->count++] = name;
    return true;
}

/* A path may mean a field of its whole name, or begin with one that ends at any of its dots. */
static bool add_path(zn_bytes path, zn_field_names *out) {
    for (size_t len = 0; len < path.len; len++) {
        if (path.data[len] == '.' && !zn_field_names_add(out, (zn_bytes){ path.data, len })) {
            return false;
        }
    }
    return zn_field_names_add(out, path);
}

static zn_field_use fields_of_select(zn_bytes args, zn_field_names *out) {
    zn_bytes fields;
    if (!zn_value_field(args, zn_bytes_of_text("fields"), &fields)) {
        return ZN_FIELDS_ALL;
    }
    zn_cursor cursor = zn_cursor_of(fields);
    for (uint32_t left = zn_cursor_read(&cursor).count; left > 0; left--) {
        if (!add_path(zn_cursor_read(&cursor).bytes, out)) {
            return ZN_FIELDS_ALL;
        }
    }
    return ZN_FIELDS_TAKEN;
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && zn_lua_is_space(*at)) {
        at++;
    }
    return at;
}

/* Whether what stands behind `r` is a dot and a name. */
static bool is_index(const uint8_t *at, const uint8_t *end) {
    at = skip_space(at, end);
    return at < end && *at == '.' && zn_lua_word_at(skip_space(at + 1, end), end).len > 0;
}

static bool add_words(zn_bytes text, zn_field_names *out) {
    const uint8_t *end = text.data + text.len;
    for (const uint8_t *at = text.data; at < end; at++) {
        zn_bytes word = zn_lua_word_at(at, end);
        if (word.len == 0) {
            continue;
        }
        at += word.len;
        bool is_record = zn_bytes_equal(word, zn_bytes_of_text("r"));
        if (zn_bytes_equal(word, zn_bytes_of_text("_ENV")) || (is_record && !is_index(at, end)) ||
            (!is_record && !zn_lua_is_reserved(word) && !zn_field_names_add(out, word))) {
            return false;
        }
    }
    return true;
}

static bool add_function(zn_bytes args, zn_field_names *out) {
    zn_bytes spec;
    zn_bytes kind;
    zn_bytes text;
    if (!zn_value_field(args, zn_bytes_of_text("function"), &spec) ||
        !zn_value_field_text(spec, "kind", &kind) || !zn_value_field_text(spec, "text", &text)) {
        return false;
    }
    bool is_block = zn_bytes_equal(kind, zn_bytes_of_text("lua-block"));
    return (is_block || zn_bytes_equal(kind, zn_bytes_of_text("lua-expression"))) &&
           add_words(text, out);
}

zn_field_use zn_fields_of_op(const zn_op_def *def, zn_bytes args, zn_field_names *out) {
    if (def == &zn_op_select) {
        return fields_of_select(args, out);
    }
    if (def == &zn_op_count_shard) {
        return ZN_FIELDS_TAKEN;
    }
    if (def == &zn_op_filter && add_function(args, out)) {
        return ZN_FIELDS_PASSED;
    }
    bool is_map = def == &zn_op_map || def == &zn_op_flat_map;
    return is_map && add_function(args, out) ? ZN_FIELDS_TAKEN : ZN_FIELDS_ALL;
}

bool zn_fields_read(const zn_op *op, zn_field_names *out) {
    out->count = 0;
    for (; op != NULL; op = op->next) {
        zn_field_use use = zn_fields_of_op(op->def, op->args, out);
        if (use != ZN_FIELDS_PASSED) {
            return use == ZN_FIELDS_TAKEN;
        }
    }
    return false;
}
