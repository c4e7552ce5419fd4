/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the small part of Lua that predicates are made of (predicate.h). It takes nothing that Lua
 * does not take, or takes as something else; in doubt it gives up, and Lua does the work. So there
 * are no comments, no escapes in texts, no hexadecimal numbers, no exponents, and a comparison is
 * not compared again. Numbers are those whose value is certain: integers of up to 18 digits, and up
 * to 15 digits with a point, which are the quotient of two exact doubles and so correctly rounded
 * (W. D. Clinger, How to Read Floating Point Numbers Accurately, 1990).
 *
 * A recursive descent of bounded depth; each function returns false to give up. */
#include "ops/predicate_text.h"

#include <string.h>

#include "ops/lua_words.h"

enum {
    INTEGER_DIGITS_MAX = 18,
    DOUBLE_DIGITS_MAX = 15,
};

typedef struct parser {
    const uint8_t *at;
    const uint8_t *end;
    unsigned depth;
    zn_predicate_parts *out;
} parser;

/* One side of a comparison, or what stands alone. */
typedef struct operand {
    bool is_field;
    bool is_found; /* nothing is compared with that */
    zn_node node;  /* FIELD, CONSTANT or FIND */
} operand;

static void skip_space(parser *self) {
    while (self->at < self->end && zn_lua_is_space(*self->at)) {
        self->at++;
    }
}

static bool next_is(parser *self, const char *mark) {
    size_t len = strlen(mark);
    skip_space(self);
    return (size_t)(self->end - self->at) >= len && memcmp(self->at, mark, len) == 0;
}

/* Takes `mark` if it comes next. */
static bool take(parser *self, const char *mark) {
    if (!next_is(self, mark)) {
        return false;
    }
    self->at += strlen(mark);
    return true;
}

/* The word that comes next, without taking it; empty: none. */
static zn_bytes peek_word(parser *self) {
    skip_space(self);
    return zn_lua_word_at(self->at, self->end);
}

static bool take_word(parser *self, const char *word) {
    if (!zn_bytes_equal(peek_word(self), zn_bytes_of_text(word))) {
        return false;
    }
    self->at += strlen(word);
    return true;
}

static bool add_node(parser *self, zn_node node, size_t *out) {
    zn_predicate_parts *parts = self->out;
    if (parts->node_count == ZN_PREDICATE_NODES_MAX) {
        return false;
    }
    *out = parts->node_count;
    parts->nodes[parts->node_count++] = node;
    return true;
}

static bool set_field(parser *self, zn_bytes name, bool bare, operand *out) {
    zn_predicate_parts *parts = self->out;
    size_t i = 0;
    while (i < parts->name_count && !zn_bytes_equal(parts->names[i], name)) {
        i++;
    }
    if (i == ZN_PREDICATE_NAMES_MAX) {
        return false;
    }
    if (i == parts->name_count) {
        parts->names[parts->name_count++] = name;
    }
    parts->bare[i] = parts->bare[i] || bare;
    *out = (operand){ .is_field = true, .node = { .kind = ZN_NODE_FIELD, .field = i } };
    return true;
}

static bool set_constant(zn_value value, operand *out) {
    *out = (operand){ .node = { .kind = ZN_NODE_CONSTANT, .constant = value } };
    return true;
}

/* A text in quotes, with nothing in it that Lua would change. */
static bool parse_text(parser *self, zn_bytes *out) {
    skip_space(self);
    if (self->at == self->end || (*self->at != '"' && *self->at != '\'')) {
        return false;
    }
    uint8_t quote = *self->at;
    const uint8_t *start = self->at + 1;
    const uint8_t *stop = start;
    while (stop < self->end && *stop != quote) {
        if (*stop == '\\' || *stop == '\n' || *stop == '\r') {
            return false;
        }
        stop++;
    }
    if (stop == self->end) {
        return false;
    }
    *out = (zn_bytes){ .data = start, .len = (size_t)(stop - start) };
    self->at = stop + 1;
    return true;
}

/* Digits at the parser, behind those in `value`; returns how many. */
static unsigned parse_digits(parser *self, unsigned max, int64_t *value) {
    unsigned count = 0;
    for (; self->at < self->end && *self->at >= '0' && *self->at <= '9'; count++) {
        if (count == max) {
            return max + 1;
        }
        *value = *value * 10 + (*self->at++ - '0');
    }
    return count;
}

static bool parse_number(parser *self, bool negative, operand *out) {
    int64_t digits = 0;
    unsigned whole = parse_digits(self, INTEGER_DIGITS_MAX, &digits);
    bool is_double = self->at < self->end && *self->at == '.';
    if (whole == 0 || whole > (is_double ? DOUBLE_DIGITS_MAX : INTEGER_DIGITS_MAX)) {
        return false;
    }
    zn_value value = { .type = ZN_VALUE_INT, .integer = negative ? -digits : digits };
    if (is_double) {
        self->at++;
        unsigned rest = parse_digits(self, DOUBLE_DIGITS_MAX - whole, &digits);
        if (rest == 0 || whole + rest > DOUBLE_DIGITS_MAX) {
            return false;
        }
        double power = 1;
        for (unsigned i = 0; i < rest; i++) {
            power *= 10;
        }
        double number = (double)digits / power;
        value = (zn_value){ .type = ZN_VALUE_DOUBLE, .number = negative ? -number : number };
    }
    /* Nothing that would make it another number. */
    bool ends = self->at == self->end || (*self->at != '.' && !zn_lua_is_word_byte(*self->at));
    return ends && set_constant(value, out);
}

/* What stands behind `r`; a colon stays for parse_find. */
static bool parse_index(parser *self, operand *out) {
    zn_bytes name;
    if (next_is(self, ":")) {
        *out = (operand){ .is_field = true,
                          .node = { .kind = ZN_NODE_FIELD, .field = ZN_PREDICATE_RECORD } };
        return true;
    }
    if (take(self, "[")) {
        return parse_text(self, &name) && take(self, "]") && set_field(self, name, false, out);
    }
    if (!take(self, ".")) {
        return false;
    }
    name = peek_word(self);
    if (name.len == 0 || zn_lua_is_reserved(name)) {
        return false;
    }
    self->at += name.len;
    return set_field(self, name, false, out);
}

static bool parse_word(parser *self, zn_bytes word, operand *out) {
    self->at += word.len;
    if (zn_bytes_equal(word, zn_bytes_of_text("nil"))) {
        *out = (operand){ .node = { .kind = ZN_NODE_CONSTANT, .is_nil = true } };
        return true;
    }
    bool is_true = zn_bytes_equal(word, zn_bytes_of_text("true"));
    if (is_true || zn_bytes_equal(word, zn_bytes_of_text("false"))) {
        return set_constant((zn_value){ .type = ZN_VALUE_BOOL, .boolean = is_true }, out);
    }
    if (zn_bytes_equal(word, zn_bytes_of_text("r"))) {
        return parse_index(self, out);
    }
    return !zn_lua_is_reserved(word) && !zn_bytes_equal(word, zn_bytes_of_text("_ENV")) &&
           set_field(self, word, true, out);
}

/* Whether Lua takes the text for itself where a pattern may stand. */
static bool is_plain(zn_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr("^$*+?.([%-", text.data[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* What stands behind the colon of `field:find("TEXT", 1, true)`. */
static bool parse_find(parser *self, operand *field) {
    zn_bytes text;
    bool good = take_word(self, "find") && take(self, "(") && parse_text(self, &text);
    bool plain = false;
    if (good && take(self, ",")) {
        good = take(self, "1");
        plain = good && take(self, ",");
        good = good && (!plain || take_word(self, "true"));
    }
    if (!good || !take(self, ")") || (!plain && !is_plain(text))) {
        return false;
    }
    *field = (operand){ .is_found = true,
                        .node = { .kind = ZN_NODE_FIND,
                                  .field = field->node.field,
                                  .constant = { .type = ZN_VALUE_STRING, .bytes = text } } };
    return true;
}

static bool parse_operand(parser *self, operand *out) {
    zn_bytes word = peek_word(self);
    if (word.len > 0) {
        return parse_word(self, word, out) &&
               (!out->is_field || !take(self, ":") || parse_find(self, out));
    }
    zn_bytes text;
    if (parse_text(self, &text)) {
        return set_constant((zn_value){ .type = ZN_VALUE_STRING, .bytes = text }, out);
    }
    bool negative = take(self, "-");
    if (negative) {
        skip_space(self);
    }
    return parse_number(self, negative, out);
}

/* The comparison that comes next; false, and nothing taken, if there is none. */
static bool take_comparison(parser *self, zn_node_kind *out) {
    static const struct {
        const char *mark;
        zn_node_kind kind;
    } marks[] = {
        { "==", ZN_NODE_EQUAL },         { "~=", ZN_NODE_UNEQUAL }, { "<=", ZN_NODE_LESS_EQUAL },
        { ">=", ZN_NODE_GREATER_EQUAL }, { "<", ZN_NODE_LESS },     { ">", ZN_NODE_GREATER },
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (take(self, marks[i].mark)) {
            *out = marks[i].kind;
            return true;
        }
    }
    return false;
}

static zn_node_kind turn_around(zn_node_kind kind) {
    switch (kind) {
    case ZN_NODE_LESS:
        return ZN_NODE_GREATER;
    case ZN_NODE_LESS_EQUAL:
        return ZN_NODE_GREATER_EQUAL;
    case ZN_NODE_GREATER:
        return ZN_NODE_LESS;
    case ZN_NODE_GREATER_EQUAL:
        return ZN_NODE_LESS_EQUAL;
    default:
        return kind;
    }
}

static bool parse_comparison(parser *self, size_t *out) {
    operand left;
    operand right;
    zn_node_kind kind;
    if (!parse_operand(self, &left)) {
        return false;
    }
    if (!take_comparison(self, &kind)) {
        return add_node(self, left.node, out);
    }
    if (!parse_operand(self, &right) || left.is_field == right.is_field || left.is_found ||
        right.is_found) {
        return false;
    }
    zn_node node = left.is_field ? right.node : left.node;
    node.field = left.is_field ? left.node.field : right.node.field;
    node.kind = left.is_field ? kind : turn_around(kind);
    return add_node(self, node, out);
}

static bool parse_or(parser *self, size_t *out);

/* What `not` takes, which nothing is compared with: `not a == b` is `(not a) == b`. */
static bool parse_closed(parser *self, size_t *out) {
    zn_node_kind unwanted;
    operand alone;
    size_t inner = 0;
    bool good = self->depth++ < ZN_PREDICATE_DEPTH_MAX;
    if (good && take_word(self, "not")) {
        good = parse_closed(self, &inner) &&
               add_node(self, (zn_node){ .kind = ZN_NODE_NOT, .left = inner }, out);
    } else if (good && take(self, "(")) {
        good = parse_or(self, out) && take(self, ")");
    } else {
        good = good && parse_operand(self, &alone) && add_node(self, alone.node, out);
    }
    self->depth--;
    return good && !take_comparison(self, &unwanted);
}

static bool parse_term(parser *self, size_t *out) {
    bool is_not = zn_bytes_equal(peek_word(self), zn_bytes_of_text("not"));
    bool is_bracket = self->at < self->end && *self->at == '(';
    return is_not || is_bracket ? parse_closed(self, out) : parse_comparison(self, out);
}

static bool parse_and(parser *self, size_t *out) {
    if (!parse_term(self, out)) {
        return false;
    }
    while (take_word(self, "and")) {
        zn_node node = { .kind = ZN_NODE_AND, .left = *out };
        if (!parse_term(self, &node.right) || !add_node(self, node, out)) {
            return false;
        }
    }
    return true;
}

static bool parse_or(parser *self, size_t *out) {
    if (!parse_and(self, out)) {
        return false;
    }
    while (take_word(self, "or")) {
        zn_node node = { .kind = ZN_NODE_OR, .left = *out };
        if (!parse_and(self, &node.right) || !add_node(self, node, out)) {
            return false;
        }
    }
    return true;
}

bool zn_predicate_parse(zn_bytes text, zn_predicate_parts *out) {
    memset(out, 0, sizeof *out);
    parser self = { .at = text.data, .end = text.data + text.len, .out = out };
    if (!parse_or(&self, &out->root)) {
        return false;
    }
    skip_space(&self);
    return self.at == self.end;
}
