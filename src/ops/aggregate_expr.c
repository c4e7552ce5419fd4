/* SPDX-License-Identifier: MPL-2.0 */
/* Reads what an aggregate is to compute. Both faces of a mistake matter: the dataset layer reads
 * the expressions when the chain is built, so that its author sees the text that is wrong; a slot
 * reads them again from a body, which comes over the wire. */
#include "ops/aggregate_expr.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"

enum {
    NUMBER_BYTES_MAX = 40,
    SHOWN_BYTES_MAX = 80
};

static const char *const kind_names[] = {
    [ZN_AGGREGATE_COUNT] = "count",       [ZN_AGGREGATE_SUM] = "sum",
    [ZN_AGGREGATE_MIN] = "min",           [ZN_AGGREGATE_MAX] = "max",
    [ZN_AGGREGATE_MEAN] = "mean",         [ZN_AGGREGATE_FIRST] = "first",
    [ZN_AGGREGATE_LAST] = "last",         [ZN_AGGREGATE_LIST] = "list",
    [ZN_AGGREGATE_DISTINCT] = "distinct", [ZN_AGGREGATE_QUANTILE] = "quantile",
};

enum {
    KIND_COUNT = sizeof kind_names / sizeof kind_names[0]
};

const char *zn_aggregate_kind_name(zn_aggregate_kind kind) {
    return kind_names[kind];
}

/* `format` gets the text first, then `detail`. */
static zonda_err fail(zn_bytes text, const char *format, const char *detail, zonda_error *error) {
    char shown[SHOWN_BYTES_MAX];
    zn_error_copy(shown, sizeof shown, (const char *)text.data, text.len);
    return zn_error_set(error, ZONDA_ERR_PLAN, format, shown, detail);
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static zn_bytes trim(zn_bytes text) {
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool is_quote(uint8_t byte) {
    return byte == '"' || byte == '\'';
}

static bool find_kind(zn_bytes name, zn_aggregate_kind *out) {
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(kind_names[i]))) {
            *out = (zn_aggregate_kind)i;
            return true;
        }
    }
    return false;
}

static zonda_err fail_kind(zn_bytes text, zonda_error *error) {
    zn_buf known = { 0 };
    for (size_t i = 0; i < KIND_COUNT; i++) {
        zn_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", kind_names[i]);
    }
    zn_buf_append_byte(&known, '\0');
    zonda_err err =
        fail(text, "aggregate: \"%s\" is none of its functions, which are: %s, as in sum(size)",
             (const char *)known.data, error);
    zn_buf_free(&known);
    return err;
}

/* Takes a quoted text, or what stands up to a comma. False if a quote is missing or something
 * follows it. */
static bool take_field(zn_bytes *rest, zn_bytes *out) {
    *rest = trim(*rest);
    if (rest->len == 0 || !is_quote(rest->data[0])) {
        const uint8_t *comma = rest->len == 0 ? NULL : memchr(rest->data, ',', rest->len);
        size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->data);
        *out = trim((zn_bytes){ rest->data, len });
        rest->data += len;
        rest->len -= len;
        return true;
    }
    const uint8_t *end = memchr(rest->data + 1, rest->data[0], rest->len - 1);
    if (end == NULL) {
        return false;
    }
    *out = (zn_bytes){ rest->data + 1, (size_t)(end - rest->data) - 1 };
    rest->len -= out->len + 2;
    rest->data = end + 1;
    *rest = trim(*rest);
    return rest->len == 0 || rest->data[0] == ',';
}

/* Brackets and quotes have no place in a name that is not quoted: a mistake, more likely. */
static bool is_plain(zn_bytes field) {
    for (size_t i = 0; i < field.len; i++) {
        if (strchr("()\"'", field.data[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool read_fraction(zn_bytes text, double *out) {
    char copy[NUMBER_BYTES_MAX];
    text = trim(text);
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    char *end = NULL;
    *out = strtod(copy, &end);
    return *end == '\0' && *out >= 0 && *out <= 1;
}

/* What is between the brackets. */
static zonda_err read_arguments(zn_aggregate_expr *expr, zn_bytes inner, zonda_error *error) {
    const char *name = kind_names[expr->kind];
    zn_bytes rest = inner;
    bool quoted = trim(inner).len > 0 && is_quote(trim(inner).data[0]);
    if (!take_field(&rest, &expr->field) || (!quoted && !is_plain(expr->field))) {
        return fail(expr->text, "aggregate: the field in \"%s\" cannot be read%s", "", error);
    }
    if (expr->field.len == 0 && (expr->kind != ZN_AGGREGATE_COUNT || quoted)) {
        return fail(expr->text, "aggregate: \"%s\" needs a field, as in %s(size)", name, error);
    }
    if (expr->kind == ZN_AGGREGATE_QUANTILE) {
        zn_bytes number = { rest.data + 1, rest.len == 0 ? 0 : rest.len - 1 };
        return rest.len > 0 && read_fraction(number, &expr->q)
                   ? ZONDA_OK
                   : fail(expr->text,
                          "aggregate: \"%s\" needs a field and a number from 0 to 1, as in "
                          "%s(size, 0.5)",
                          name, error);
    }
    return rest.len == 0 ? ZONDA_OK
                         : fail(expr->text, "aggregate: \"%s\" has more than a field; %s takes one",
                                name, error);
}

static zonda_err read_expr(zn_aggregate_expr *expr, zonda_error *error) {
    zn_bytes text = trim(expr->text);
    const uint8_t *open = text.len == 0 ? NULL : memchr(text.data, '(', text.len);
    zn_bytes name = { text.data, open == NULL ? text.len : (size_t)(open - text.data) };
    if (!find_kind(trim(name), &expr->kind)) {
        return fail_kind(expr->text, error);
    }
    if (open == NULL || text.data[text.len - 1] != ')') {
        return fail(expr->text, "aggregate: \"%s\" needs brackets, as in %s(size)",
                    kind_names[expr->kind], error);
    }
    zn_bytes inner = { open + 1, text.len - name.len - 2 };
    return read_arguments(expr, inner, error);
}

static bool is_name_taken(const zn_aggregate *aggregate, uint32_t exprs, zn_bytes name) {
    for (uint32_t i = 0; i < exprs; i++) {
        if (zn_bytes_equal(aggregate->exprs[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The set of values of the field. */
static uint32_t find_set(zn_aggregate *aggregate, zn_bytes field) {
    uint32_t i = 0;
    while (i < aggregate->set_count && !zn_bytes_equal(aggregate->sets[i], field)) {
        i++;
    }
    if (i == aggregate->set_count) {
        aggregate->sets[aggregate->set_count++] = field;
    }
    return i;
}

static zonda_err read_exprs(zn_aggregate *self, zn_bytes map, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(map);
    uint32_t count = zn_cursor_read(&cursor).count;
    if (count > ZN_AGGREGATE_EXPRS_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "aggregate has %u expressions, at most %u are possible", count,
                            (unsigned)ZN_AGGREGATE_EXPRS_MAX);
    }
    self->exprs = zn_calloc(count, sizeof *self->exprs);
    self->sets = zn_calloc(count, sizeof *self->sets);
    self->count = count;
    for (uint32_t i = 0; i < count; i++) {
        zn_aggregate_expr *expr = &self->exprs[i];
        expr->name = zn_cursor_read(&cursor).bytes;
        expr->text = zn_cursor_read(&cursor).bytes;
        zonda_err err = read_expr(expr, error);
        if (err != ZONDA_OK) {
            return err;
        }
        if (expr->kind == ZN_AGGREGATE_DISTINCT || expr->kind == ZN_AGGREGATE_QUANTILE) {
            expr->set = find_set(self, expr->field);
        }
    }
    return ZONDA_OK;
}

/* The fields of the result that the key becomes: those of its names, or "key" for a function. */
static void read_by(zn_aggregate *self, zn_bytes spec) {
    zn_cursor cursor = zn_cursor_of(spec);
    zn_value head = zn_cursor_read(&cursor);
    self->by_list = head.type == ZN_VALUE_ARRAY;
    self->by_count = self->by_list ? head.count : 1;
    self->by = zn_calloc(self->by_count, sizeof *self->by);
    for (uint32_t i = 0; i < self->by_count; i++) {
        self->by[i] = self->by_list                  ? zn_cursor_read(&cursor).bytes
                      : head.type == ZN_VALUE_STRING ? head.bytes
                                                     : zn_bytes_of_text("key");
    }
}

/* No two fields of the result may have the same name. */
static zonda_err check_names(const zn_aggregate *self, zonda_error *error) {
    for (uint32_t i = 0; i < self->count; i++) {
        if (is_name_taken(self, i, self->exprs[i].name)) {
            return fail(self->exprs[i].name, "aggregate makes the field \"%s\" twice%s", "", error);
        }
    }
    for (uint32_t i = 0; i < self->by_count; i++) {
        if (is_name_taken(self, self->count, self->by[i])) {
            return fail(self->by[i],
                        "aggregate makes the field \"%s\" twice: of an expression and of %s", "by",
                        error);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (zn_bytes_equal(self->by[i], self->by[j])) {
                return fail(self->by[i], "aggregate has the field \"%s\" twice in %s", "by", error);
            }
        }
    }
    return ZONDA_OK;
}

zonda_err zn_aggregate_read(zn_bytes args, zn_aggregate *out, zonda_error *error) {
    zn_aggregate self = { 0 };
    zn_bytes exprs;
    zn_bytes by;
    if (!zn_value_field(args, zn_bytes_of_text("exprs"), &exprs)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "aggregate has no expressions");
    }
    zonda_err err = read_exprs(&self, exprs, error);
    if (err == ZONDA_OK && zn_value_field(args, zn_bytes_of_text("by"), &by)) {
        read_by(&self, by);
    }
    if (err == ZONDA_OK) {
        err = check_names(&self, error);
    }
    if (err == ZONDA_OK) {
        *out = self;
    } else {
        zn_aggregate_free(&self);
    }
    return err;
}

void zn_aggregate_free(zn_aggregate *aggregate) {
    free(aggregate->exprs);
    free(aggregate->sets);
    free(aggregate->by);
    *aggregate = (zn_aggregate){ 0 };
}
