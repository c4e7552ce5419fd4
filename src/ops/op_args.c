/* SPDX-License-Identifier: MPL-2.0 */
/* Checks arguments against the operator table. Every face sends its arguments through here when a
 * dataset is built, and slots send those of a body, which comes over the wire; so an operator that
 * opens may rely on names, types and ranges. Messages name the operator, the argument, what is
 * wanted and what was given, because they are read by whoever wrote the pipeline. */
#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "ops/op_table.h"
#include "record/value.h"

/* Texts of people in messages are cut. */
enum {
    SHOWN_BYTES_MAX = 64
};

static int shown(zn_bytes text) {
    return text.len < SHOWN_BYTES_MAX ? (int)text.len : SHOWN_BYTES_MAX;
}

static zonda_err fail_unknown(const zn_op_def *op, zn_bytes name, zonda_error *error) {
    zn_buf known = { 0 };
    for (size_t i = 0; i < op->arg_count; i++) {
        zn_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", op->args[i].name);
    }
    if (op->arg_count == 0) {
        zn_buf_append_text(&known, "none");
    }
    zonda_err err = zn_error_set(error, ZONDA_ERR_PLAN, "%s has no argument \"%.*s\"; it has: %.*s",
                                 op->name, shown(name), (const char *)name.data, (int)known.len,
                                 (const char *)known.data);
    zn_buf_free(&known);
    return err;
}

/* What was given, for a message. */
static const char *describe(zn_bytes value) {
    zn_value head = zn_value_head(value);
    switch (head.type) {
    case ZN_VALUE_STRING:
        return head.bytes.len == 0 ? "an empty string" : "string";
    case ZN_VALUE_ARRAY:
        return head.count == 0 ? "an empty array" : "array";
    default:
        return zn_value_type_name(head.type);
    }
}

static zonda_err fail_type(const zn_op_def *op, const zn_arg_def *arg, const char *wanted,
                           zn_bytes value, zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_PLAN, "argument \"%s\" of %s must be %s, not %s",
                        arg->name, op->name, wanted, describe(value));
}

static zonda_err check_uint(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                            zonda_error *error) {
    zn_value head = zn_value_head(value);
    if (head.type != ZN_VALUE_INT && head.type != ZN_VALUE_UINT) {
        return fail_type(op, arg, "an integer", value, error);
    }
    if (head.type == ZN_VALUE_INT && head.integer < 0) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"%s\" of %s must not be negative; it is %" PRId64, arg->name,
                            op->name, head.integer);
    }
    uint64_t number = head.type == ZN_VALUE_INT ? (uint64_t)head.integer : head.uinteger;
    if (number < arg->min) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"%s\" of %s must be at least %" PRIu64 "; it is %" PRIu64,
                            arg->name, op->name, arg->min, number);
    }
    if (number > arg->max) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"%s\" of %s must be at most %" PRIu64 "; it is %" PRIu64,
                            arg->name, op->name, arg->max, number);
    }
    return ZONDA_OK;
}

/* A text that may become a C string. */
static bool is_plain_text(zn_value head) {
    if (head.type != ZN_VALUE_STRING) {
        return false;
    }
    for (size_t i = 0; i < head.bytes.len; i++) {
        if (head.bytes.data[i] == '\0') {
            return false;
        }
    }
    return head.bytes.len > 0;
}

/* Whether a text is one of those that `choices` lists. */
static bool is_choice(const char *choices, zn_bytes text) {
    for (const char *at = choices; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len == text.len && memcmp(at, text.data, len) == 0) {
            return true;
        }
        at += len;
        at += strspn(at, ", ");
    }
    return false;
}

static zonda_err check_text(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                            zonda_error *error) {
    zn_value head = zn_value_head(value);
    if (!is_plain_text(head)) {
        return fail_type(op, arg, "a text without NUL", value, error);
    }
    if (arg->choices != NULL && !is_choice(arg->choices, head.bytes)) {
        return zn_error_set(
            error, ZONDA_ERR_PLAN, "argument \"%s\" of %s must be one of %s; it is \"%.*s\"",
            arg->name, op->name, arg->choices, shown(head.bytes), (const char *)head.bytes.data);
    }
    return ZONDA_OK;
}

static zonda_err check_texts(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                             zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(value);
    zn_value list = zn_cursor_read(&cursor);
    if (list.type != ZN_VALUE_ARRAY || list.count == 0) {
        return fail_type(op, arg, "a list of at least one text", value, error);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        zn_bytes item = zn_cursor_skip(&cursor);
        if (!is_plain_text(zn_value_head(item))) {
            return fail_type(op, arg, "a list of texts without NUL", item, error);
        }
    }
    return ZONDA_OK;
}

/* Written so that what is no number at all (NaN) is out of range too. */
static zonda_err check_number(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                              zonda_error *error) {
    double number = 0;
    if (!zn_value_number(value, &number)) {
        return fail_type(op, arg, "a number", value, error);
    }
    if (!(number >= 0 && number <= (double)arg->max)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"%s\" of %s must be from 0 to %" PRIu64 "; it is %g",
                            arg->name, op->name, arg->max, number);
    }
    return ZONDA_OK;
}

/* Whether `text` stands as key (`step` 0) or value (`step` 1) among the first `pairs` pairs. */
static bool is_among(zn_bytes map, uint32_t pairs, unsigned step, zn_bytes text) {
    zn_cursor cursor = zn_cursor_of(map);
    zn_cursor_read(&cursor);
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes sides[2] = { zn_cursor_skip(&cursor), zn_cursor_skip(&cursor) };
        if (zn_bytes_equal(zn_value_head(sides[step]).bytes, text)) {
            return true;
        }
    }
    return false;
}

static zonda_err check_names(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                             zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(value);
    zn_value map = zn_cursor_read(&cursor);
    if (map.type != ZN_VALUE_MAP || map.count == 0) {
        return fail_type(op, arg, "a map of at least one text to a text", value, error);
    }
    for (uint32_t i = 0; i < map.count; i++) {
        for (unsigned side = 0; side < 2; side++) {
            zn_bytes item = zn_cursor_skip(&cursor);
            if (!is_plain_text(zn_value_head(item))) {
                return fail_type(op, arg, "a map of texts to texts, without NUL", item, error);
            }
            zn_bytes text = zn_value_head(item).bytes;
            if (is_among(value, i, side, text)) {
                return zn_error_set(error, ZONDA_ERR_PLAN,
                                    "argument \"%s\" of %s names \"%.*s\" twice", arg->name,
                                    op->name, shown(text), (const char *)text.data);
            }
        }
    }
    return ZONDA_OK;
}

/* What the texts say is for the operator. */
static zonda_err check_exprs(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                             zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(value);
    zn_value map = zn_cursor_read(&cursor);
    if (map.type != ZN_VALUE_MAP || map.count == 0) {
        return fail_type(op, arg, "a map of at least one name to an expression", value, error);
    }
    for (uint32_t i = 0; i < map.count * 2; i++) {
        zn_bytes item = zn_cursor_skip(&cursor);
        if (!is_plain_text(zn_value_head(item))) {
            return fail_type(op, arg, "a map of names to expressions, without NUL", item, error);
        }
    }
    return ZONDA_OK;
}

/* Only the program needs a name; an argument may be empty. */
static zonda_err check_command(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                               zonda_error *error) {
    static const char wanted[] = "a text or a list of texts, without NUL";
    zn_cursor cursor = zn_cursor_of(value);
    zn_value head = zn_cursor_read(&cursor);
    if (is_plain_text(head)) {
        return ZONDA_OK;
    }
    if (head.type != ZN_VALUE_ARRAY || head.count == 0) {
        return fail_type(op, arg, wanted, value, error);
    }
    for (uint32_t i = 0; i < head.count; i++) {
        zn_bytes item = zn_cursor_skip(&cursor);
        zn_value word = zn_value_head(item);
        bool is_empty = word.type == ZN_VALUE_STRING && word.bytes.len == 0;
        if (!is_plain_text(word) && (i == 0 || !is_empty)) {
            return fail_type(op, arg, wanted, item, error);
        }
    }
    return ZONDA_OK;
}

static bool has_digest(zn_bytes map, const char *key) {
    zn_bytes value;
    if (!zn_value_field(map, zn_bytes_of_text(key), &value)) {
        return false;
    }
    zn_value digest = zn_value_head(value);
    return digest.type == ZN_VALUE_BINARY && digest.bytes.len == ZN_DIGEST_BYTES;
}

/* True for the forms of function.h. Which functions exist is for those who run them. */
static bool is_function(zn_bytes value) {
    zn_bytes kind;
    zn_bytes text;
    if (!zn_value_field_text(value, "kind", &kind)) {
        return false;
    }
    if (zn_bytes_equal(kind, zn_bytes_of_text("c"))) {
        return zn_value_field_text(value, "name", &text) && text.len > 0;
    }
    if (zn_bytes_equal(kind, zn_bytes_of_text("lua-expression")) ||
        zn_bytes_equal(kind, zn_bytes_of_text("lua-block"))) {
        return zn_value_field_text(value, "text", &text);
    }
    if (zn_bytes_equal(kind, zn_bytes_of_text("plugin"))) {
        return has_digest(value, "plugin") && zn_value_field_text(value, "name", &text) &&
               text.len > 0;
    }
    uint64_t index;
    return zn_bytes_equal(kind, zn_bytes_of_text("lua-script")) && has_digest(value, "script") &&
           zn_value_field_uint(value, "index", &index);
}

static zonda_err check_key(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                           zonda_error *error) {
    zn_value head = zn_value_head(value);
    if (is_plain_text(head) || is_function(value)) {
        return ZONDA_OK;
    }
    return head.type == ZN_VALUE_ARRAY
               ? check_texts(op, arg, value, error)
               : fail_type(op, arg, "a field, a list of fields or a function", value, error);
}

static zonda_err check_type(const zn_op_def *op, const zn_arg_def *arg, zn_bytes value,
                            zonda_error *error) {
    zn_value head = zn_value_head(value);
    switch (arg->type) {
    case ZN_ARG_UINT:
        return check_uint(op, arg, value, error);
    case ZN_ARG_BOOL:
        return head.type == ZN_VALUE_BOOL ? ZONDA_OK
                                          : fail_type(op, arg, "true or false", value, error);
    case ZN_ARG_TEXT:
        return check_text(op, arg, value, error);
    case ZN_ARG_SWITCH:
        return head.type == ZN_VALUE_BOOL || is_plain_text(head)
                   ? ZONDA_OK
                   : fail_type(op, arg, "true, false or a text without NUL", value, error);
    case ZN_ARG_TEXTS:
        return check_texts(op, arg, value, error);
    case ZN_ARG_VALUES:
        return head.type == ZN_VALUE_ARRAY ? ZONDA_OK : fail_type(op, arg, "a list", value, error);
    case ZN_ARG_FUNCTION:
        return is_function(value) ? ZONDA_OK : fail_type(op, arg, "a function", value, error);
    case ZN_ARG_KEY:
        return check_key(op, arg, value, error);
    case ZN_ARG_NUMBER:
        return check_number(op, arg, value, error);
    case ZN_ARG_NAMES:
        return check_names(op, arg, value, error);
    case ZN_ARG_EXPRS:
        return check_exprs(op, arg, value, error);
    case ZN_ARG_COMMAND:
        return check_command(op, arg, value, error);
    case ZN_ARG_VALUE:
        break;
    }
    return ZONDA_OK;
}

static zonda_err check_required(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    for (size_t i = 0; i < op->arg_count; i++) {
        zn_bytes value;
        if (op->args[i].use == ZN_ARG_POSITIONAL &&
            !zn_value_field(args, zn_bytes_of_text(op->args[i].name), &value)) {
            return zn_error_set(error, ZONDA_ERR_PLAN, "%s needs the argument \"%s\" (%s)",
                                op->name, op->args[i].name, op->args[i].doc);
        }
    }
    return ZONDA_OK;
}

zonda_err zn_op_check_args(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(args);
    zn_value map = zn_cursor_read(&cursor);
    if (map.type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the arguments of %s must be a map, not %s",
                            op->name, zn_value_type_name(map.type));
    }
    uint64_t seen = 0;
    for (uint32_t i = 0; i < map.count; i++) {
        zn_value key = zn_value_head(zn_cursor_skip(&cursor));
        zn_bytes value = zn_cursor_skip(&cursor);
        if (key.type != ZN_VALUE_STRING) {
            return zn_error_set(error, ZONDA_ERR_PLAN,
                                "the names of arguments of %s must be strings, not %s", op->name,
                                zn_value_type_name(key.type));
        }
        const zn_arg_def *arg = zn_op_arg(op, key.bytes);
        if (arg == NULL) {
            return fail_unknown(op, key.bytes, error);
        }
        uint64_t bit = UINT64_C(1) << (arg - op->args);
        if (seen & bit) {
            return zn_error_set(error, ZONDA_ERR_PLAN, "argument \"%s\" of %s is given twice",
                                arg->name, op->name);
        }
        seen |= bit;
        zonda_err err = check_type(op, arg, value, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    zonda_err err = check_required(op, args, error);
    return err != ZONDA_OK || op->check == NULL ? err : op->check(op, args, error);
}
