/* SPDX-License-Identifier: MPL-2.0 */
/* Answers a predicate for a record. The rules are Lua's, for values as they come to Lua (lua.md,
 * "Values"):
 *
 * - Integers and floats compare by their exact values; NaN is unequal to all and not less.
 * - Binaries are texts. Texts are ordered byte by byte if the locale says so, else Lua is asked.
 * - null is equal to no constant and counts as true, but as the answer of the filter as false;
 *   that is why evaluating tells it from true.
 * - A field that is missing is nil, unless it is written bare and names a global.
 *
 * Ordering values of other types is an error, which is Lua's to raise: the answer is UNSURE. So it
 * is for fields of records that are not maps, and for keys that are binaries, which a view takes
 * for texts and a bare name does not. All fields are found in one walk over the record. */
#include "ops/predicate.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/predicate_text.h"

struct zn_predicate {
    char *text;
    zn_predicate_parts parts; /* borrow from the text */
    bool global[ZN_PREDICATE_NAMES_MAX];
    bool bytes_order;                        /* texts */
    zn_value fields[ZN_PREDICATE_NAMES_MAX]; /* of the record at hand */
    bool found[ZN_PREDICATE_NAMES_MAX];
    zn_value record; /* its head */
};

typedef enum truth {
    NO,
    YES,
    NULLISH, /* the value is null: true, but not for the filter */
    UNKNOWN
} truth;

zn_predicate *zn_predicate_new(zn_bytes text) {
    zn_predicate *predicate = ZN_NEW(zn_predicate);
    predicate->text = zn_strndup((const char *)text.data, text.len);
    zn_bytes copy = { (const uint8_t *)predicate->text, text.len };
    if (!zn_predicate_parse(copy, &predicate->parts)) {
        zn_predicate_destroy(&predicate);
        return NULL;
    }
    const char *collation = setlocale(LC_COLLATE, NULL);
    predicate->bytes_order =
        collation != NULL && (strcmp(collation, "C") == 0 || strcmp(collation, "POSIX") == 0);
    return predicate;
}

void zn_predicate_destroy(zn_predicate **predicate) {
    if (*predicate != NULL) {
        free((*predicate)->text);
        free(*predicate);
        *predicate = NULL;
    }
}

const zn_bytes *zn_predicate_names(const zn_predicate *predicate, size_t *count) {
    *count = predicate->parts.name_count;
    return predicate->parts.names;
}

void zn_predicate_set_global(zn_predicate *predicate, size_t name) {
    predicate->global[name] = predicate->parts.bare[name];
}

/* -1, 0, 1; the number is not NaN. What is behind its point decides only between equals. */
static int compare_mixed(int64_t integer, double number) {
    if (number >= 0x1p63) {
        return -1;
    }
    if (number < -0x1p63) {
        return 1;
    }
    int64_t whole = (int64_t)number;
    if (integer != whole) {
        return integer < whole ? -1 : 1;
    }
    double rest = number - (double)whole;
    return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

/* An order of two values; what is not ordered is unequal too. */
typedef struct order {
    bool known;
    bool ordered; /* neither is NaN */
    int sign;
} order;

static order ordered(int sign) {
    return (order){ .known = true, .ordered = true, .sign = sign };
}

static order compare_numbers(zn_value a, zn_value b) {
    if (a.type == ZN_VALUE_INT && b.type == ZN_VALUE_INT) {
        return ordered((a.integer > b.integer) - (a.integer < b.integer));
    }
    if ((a.type == ZN_VALUE_DOUBLE && a.number != a.number) ||
        (b.type == ZN_VALUE_DOUBLE && b.number != b.number)) {
        return (order){ .known = true };
    }
    if (a.type == ZN_VALUE_INT) {
        return ordered(compare_mixed(a.integer, b.number));
    }
    if (b.type == ZN_VALUE_INT) {
        return ordered(-compare_mixed(b.integer, a.number));
    }
    return ordered((a.number > b.number) - (a.number < b.number));
}

static order compare_texts(zn_bytes a, zn_bytes b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int sign = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return ordered(sign != 0 ? sign : (a.len > b.len) - (a.len < b.len));
}

static bool is_number(zn_value value) {
    return value.type == ZN_VALUE_INT || value.type == ZN_VALUE_DOUBLE;
}

static bool is_text(zn_value value) {
    return value.type == ZN_VALUE_STRING || value.type == ZN_VALUE_BINARY;
}

static truth is_equal(const zn_value *field, const zn_node *node) {
    if (field == NULL || node->is_nil) {
        return field == NULL && node->is_nil ? YES : NO;
    }
    zn_value constant = node->constant;
    if (is_number(*field) && is_number(constant)) {
        order found = compare_numbers(*field, constant);
        return found.ordered && found.sign == 0 ? YES : NO;
    }
    if (is_text(*field) && is_text(constant)) {
        return zn_bytes_equal(field->bytes, constant.bytes) ? YES : NO;
    }
    bool same = field->type == ZN_VALUE_BOOL && constant.type == ZN_VALUE_BOOL &&
                field->boolean == constant.boolean;
    return same ? YES : NO;
}

static truth is_ordered(const zn_predicate *self, const zn_value *field, const zn_node *node) {
    order found = { 0 };
    if (field == NULL || node->is_nil) {
        return UNKNOWN;
    }
    if (is_number(*field) && is_number(node->constant)) {
        found = compare_numbers(*field, node->constant);
    } else if (is_text(*field) && is_text(node->constant) && self->bytes_order) {
        found = compare_texts(field->bytes, node->constant.bytes);
    }
    if (!found.known) {
        return UNKNOWN;
    }
    bool answer = false;
    switch (node->kind) {
    case ZN_NODE_LESS:
        answer = found.sign < 0;
        break;
    case ZN_NODE_LESS_EQUAL:
        answer = found.sign <= 0;
        break;
    case ZN_NODE_GREATER:
        answer = found.sign > 0;
        break;
    default:
        answer = found.sign >= 0;
        break;
    }
    return found.ordered && answer ? YES : NO;
}

static truth truth_of(const zn_value *value) {
    if (value == NULL || (value->type == ZN_VALUE_BOOL && !value->boolean)) {
        return NO;
    }
    return value->type == ZN_VALUE_NIL ? NULLISH : YES;
}

/* Only texts have the method of Lua's strings. */
static truth is_in(const zn_value *text, zn_bytes wanted) {
    if (text == NULL || !is_text(*text)) {
        return UNKNOWN;
    }
    zn_bytes bytes = text->bytes;
    bool found = wanted.len == 0 || (bytes.len >= wanted.len &&
                                     memmem(bytes.data, bytes.len, wanted.data, wanted.len));
    return found ? YES : NO;
}

static truth evaluate_leaf(const zn_predicate *self, const zn_node *node) {
    if (node->kind == ZN_NODE_CONSTANT) {
        return truth_of(node->is_nil ? NULL : &node->constant);
    }
    if (node->field == ZN_PREDICATE_RECORD) {
        return is_in(&self->record, node->constant.bytes);
    }
    if (self->record.type != ZN_VALUE_MAP) {
        return UNKNOWN;
    }
    const zn_value *field = self->found[node->field] ? &self->fields[node->field] : NULL;
    if (field == NULL && self->global[node->field]) {
        return UNKNOWN;
    }
    switch (node->kind) {
    case ZN_NODE_FIELD:
        return truth_of(field);
    case ZN_NODE_EQUAL:
        return is_equal(field, node);
    case ZN_NODE_UNEQUAL:
        return is_equal(field, node) == YES ? NO : YES;
    case ZN_NODE_FIND:
        return is_in(field, node->constant.bytes);
    default:
        return is_ordered(self, field, node);
    }
}

/* Recursion as deep as the text is nested, or has terms in a row: bounded by the nodes. */
static truth evaluate(const zn_predicate *self, size_t index) {
    const zn_node *node = &self->parts.nodes[index];
    truth left;
    switch (node->kind) {
    case ZN_NODE_OR:
        left = evaluate(self, node->left);
        return left == NO ? evaluate(self, node->right) : left;
    case ZN_NODE_AND:
        left = evaluate(self, node->left);
        return left == NO || left == UNKNOWN ? left : evaluate(self, node->right);
    case ZN_NODE_NOT:
        left = evaluate(self, node->left);
        return left == UNKNOWN ? UNKNOWN : left == NO ? YES : NO;
    default:
        return evaluate_leaf(self, node);
    }
}

/* Fills in the fields; false if only Lua knows what they are. */
static bool find_fields(zn_predicate *self, zn_bytes record) {
    const zn_predicate_parts *parts = &self->parts;
    zn_cursor cursor = zn_cursor_of(record);
    self->record = zn_cursor_read(&cursor);
    if (self->record.type != ZN_VALUE_MAP || parts->name_count == 0) {
        return true;
    }
    memset(self->found, 0, sizeof self->found);
    for (uint32_t left = self->record.count; left > 0; left--) {
        zn_value key = zn_value_head((zn_bytes){ cursor.at, (size_t)(cursor.end - cursor.at) });
        zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        if (key.type == ZN_VALUE_BINARY) {
            return false;
        }
        for (size_t i = 0; key.type == ZN_VALUE_STRING && i < parts->name_count; i++) {
            if (zn_bytes_equal(key.bytes, parts->names[i])) {
                self->fields[i] = zn_value_head(value);
                self->found[i] = true;
            }
        }
    }
    return true;
}

zn_predicate_answer zn_predicate_ask(zn_predicate *predicate, zn_bytes record) {
    truth answer =
        find_fields(predicate, record) ? evaluate(predicate, predicate->parts.root) : UNKNOWN;
    if (answer == UNKNOWN) {
        return ZN_PREDICATE_UNSURE;
    }
    return answer == YES ? ZN_PREDICATE_TRUE : ZN_PREDICATE_FALSE;
}
