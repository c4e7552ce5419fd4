/* SPDX-License-Identifier: MPL-2.0 */
/* Places in the words of a command. {} and {name} or {a.b} are places; a name begins with a letter
 * or '_' and has letters, digits, '_', '-' and '.'; every other brace stands for itself, and {{}}
 * and {{name}} are what is between their outer braces. A value becomes a part of one argument,
 * whatever is in it.
 *
 * For a shell the values are never put into the text: they are its positional parameters, which a
 * prologue puts into variables, since functions have parameters of their own; and a place becomes
 * "${zonda_1}", written so that it is quoted where it stands: outside of quotes, between double
 * ones, or between single ones. So no value can become code, even where somebody quotes in a way
 * that is not understood here; at the worst it is split at blanks. ${name} is the shell's own.
 * Called by op_each.c. */
#include "ops/each_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/json.h"
#include "record/value.h"

enum {
    NESTING_MAX = 64 /* of parentheses in a text for a shell; what is deeper is not followed */
};

typedef struct part {
    bool is_place;
    bool ends_word;
    char *text; /* literal, or path of the field; "": the whole record */
    size_t len;
} part;

struct zn_template {
    part *parts;
    size_t count;
    size_t capacity;
};

static void add_part(zn_template *self, bool is_place, zn_bytes text) {
    ZN_GROW(self->parts, self->count, self->capacity);
    self->parts[self->count++] = (part){ .is_place = is_place,
                                         .text = zn_strndup((const char *)text.data, text.len),
                                         .len = text.len };
}

static void end_word(zn_template *self) {
    self->parts[self->count - 1].ends_word = true;
}

static void add_literal_word(zn_template *self, const char *text) {
    add_part(self, false, zn_bytes_of_text(text));
    end_word(self);
}

/* ---- places in texts ---- */

static bool is_name_byte(char byte, bool first) {
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
                  (unsigned char)byte >= 0x80;
    return letter || (!first && ((byte >= '0' && byte <= '9') || byte == '-' || byte == '.'));
}

/* A place at `text`: its bytes with both braces, 0 if there is none. */
static size_t place_length(const char *text) {
    if (text[0] != '{') {
        return 0;
    }
    size_t at = 1;
    while (is_name_byte(text[at], at == 1)) {
        at++;
    }
    return text[at] == '}' ? at + 1 : 0;
}

/* The same for a place in a second pair of braces. */
static size_t quoted_place_length(const char *text) {
    size_t inner = text[0] == '{' ? place_length(text + 1) : 0;
    return inner > 0 && text[1 + inner] == '}' ? inner + 2 : 0;
}

static zn_bytes place_path(const char *text, size_t length) {
    return (zn_bytes){ .data = (const uint8_t *)text + 1, .len = length - 2 };
}

/* ---- commands without a shell ---- */

static void flush_literal(zn_template *self, zn_buf *literal) {
    if (literal->len > 0) {
        add_part(self, false, zn_buf_bytes(literal));
        literal->len = 0;
    }
}

static void add_word(zn_template *self, const char *text) {
    zn_buf literal = { 0 };
    size_t before = self->count;
    while (*text != '\0') {
        size_t quoted = quoted_place_length(text);
        size_t place = quoted > 0 ? 0 : place_length(text);
        if (quoted > 0) {
            zn_buf_append(&literal, text + 1, quoted - 2);
            text += quoted;
        } else if (place > 0) {
            flush_literal(self, &literal);
            add_part(self, true, place_path(text, place));
            text += place;
        } else {
            zn_buf_append_byte(&literal, (uint8_t)*text++);
        }
    }
    flush_literal(self, &literal);
    zn_buf_free(&literal);
    if (self->count == before) {
        add_part(self, false, zn_bytes_of_text(""));
    }
    end_word(self);
}

/* ---- texts for a shell ---- */

/* The number of the parameter for a path, from 1; equal paths share one. */
static size_t parameter_of(zn_words *paths, zn_bytes path) {
    for (size_t i = 0; i < paths->count; i++) {
        if (zn_bytes_equal(zn_bytes_of_text(paths->items[i]), path)) {
            return i + 1;
        }
    }
    zn_words_add(paths, path);
    return paths->count;
}

static void put_parameter(zn_buf *out, char quote, size_t number) {
    static const char *const forms[] = { "\"${zonda_%zu}\"", "${zonda_%zu}", "'\"${zonda_%zu}\"'" };
    zn_buf_printf(out, forms[quote == '\0' ? 0 : quote == '"' ? 1 : 2], number);
}

/* Where in the shell's quoting a text is: the quote that is open, and those around the command
 * substitutions and parentheses that are open. */
typedef struct quoting {
    char quote;
    char around[NESTING_MAX];
    size_t depth;
} quoting;

/* Moves over one byte, or the two of an escaped one or of "$(" or "${"; returns how many. */
static size_t pass(quoting *at, const char *text) {
    bool is_literal = at->quote == '\'';
    bool opens = text[0] == '$' && text[1] == '(' && !is_literal;
    if (opens || (text[0] == '(' && at->quote == '\0')) {
        if (at->depth < NESTING_MAX) {
            at->around[at->depth++] = at->quote;
            at->quote = '\0';
        }
        return opens ? 2 : 1;
    }
    if (!is_literal && text[1] != '\0' && (text[0] == '\\' || strncmp(text, "${", 2) == 0)) {
        return 2;
    }
    if (at->quote == '\0' && text[0] == ')' && at->depth > 0) {
        at->quote = at->around[--at->depth];
    } else if (at->quote == '\0' && (text[0] == '\'' || text[0] == '"')) {
        at->quote = text[0];
    } else if (at->quote != '\0' && text[0] == at->quote) {
        at->quote = '\0';
    }
    return 1;
}

static void rewrite(const char *text, zn_words *paths, zn_buf *out) {
    quoting at = { 0 };
    while (*text != '\0') {
        size_t quoted = quoted_place_length(text);
        size_t place = quoted > 0 ? 0 : place_length(text);
        if (quoted > 0) {
            zn_buf_append(out, text + 1, quoted - 2);
            text += quoted;
        } else if (place > 0) {
            put_parameter(out, at.quote, parameter_of(paths, place_path(text, place)));
            text += place;
        } else {
            size_t length = pass(&at, text);
            zn_buf_append(out, text, length);
            text += length;
        }
    }
}

static void add_shell(zn_template *self, const char *text) {
    zn_words paths = { 0 };
    zn_buf rewritten = { 0 };
    zn_buf whole = { 0 };
    rewrite(text, &paths, &rewritten);
    for (size_t i = 1; i <= paths.count; i++) {
        zn_buf_printf(&whole, "zonda_%zu=${%zu}; ", i, i);
    }
    zn_buf_append(&whole, rewritten.data, rewritten.len);
    add_literal_word(self, "sh");
    add_literal_word(self, "-c");
    add_part(self, false, zn_buf_bytes(&whole));
    end_word(self);
    add_literal_word(self, "sh");
    for (size_t i = 0; i < paths.count; i++) {
        add_part(self, true, zn_bytes_of_text(paths.items[i]));
        end_word(self);
    }
    zn_buf_free(&whole);
    zn_buf_free(&rewritten);
    zn_words_free(&paths);
}

/* ---- life and use ---- */

zn_template *zn_template_new(const zn_words *words, bool shell) {
    zn_template *self = ZN_NEW(zn_template);
    if (shell) {
        add_shell(self, words->items[0]);
        return self;
    }
    for (size_t i = 0; i < words->count; i++) {
        add_word(self, words->items[i]);
    }
    return self;
}

void zn_template_destroy(zn_template **template) {
    if (*template == NULL) {
        return;
    }
    for (size_t i = 0; i < (*template)->count; i++) {
        free((*template)->parts[i].text);
    }
    free((*template)->parts);
    free(*template);
    *template = NULL;
}

bool zn_template_is_fixed(const zn_template *template) {
    return !template->parts[0].is_place && template->parts[0].ends_word;
}

static zonda_err fail(zonda_error *error) {
    error->permanent = true;
    return error->code;
}

static zonda_err find_value(const part *place, zn_bytes record, zn_bytes *value,
                            zonda_error *error) {
    zn_bytes path = { .data = (const uint8_t *)place->text, .len = place->len };
    if (path.len == 0) {
        *value = record;
        return ZONDA_OK;
    }
    zn_value_type type = zn_value_head(record).type;
    if (type != ZN_VALUE_MAP) {
        zn_error_set(error, ZONDA_ERR_USER, "{%.200s} needs a map as record, not %s", place->text,
                     zn_value_type_name(type));
        return fail(error);
    }
    if (!zn_value_path(record, path, value)) {
        zn_error_set(error, ZONDA_ERR_USER, "the record has no field \"%.200s\"", place->text);
        return fail(error);
    }
    return ZONDA_OK;
}

/* Texts and binaries as they are, everything else as JSON. */
static zonda_err put_value(const part *place, zn_bytes value, zn_buf *word, zonda_error *error) {
    zn_value head = zn_value_head(value);
    size_t start = word->len;
    if (head.type == ZN_VALUE_STRING || head.type == ZN_VALUE_BINARY) {
        zn_buf_append(word, head.bytes.data, head.bytes.len);
    } else if (zn_json_write(value, word, error) != ZONDA_OK) {
        return fail(error);
    }
    if (word->len > start && memchr(word->data + start, '\0', word->len - start) != NULL) {
        zn_error_set(
            error, ZONDA_ERR_USER,
            "the value of {%.200s} has a NUL byte, which no argument of a command can have",
            place->text);
        return fail(error);
    }
    return ZONDA_OK;
}

zonda_err zn_template_fill(const zn_template *template, zn_bytes record, zn_words *out,
                           zonda_error *error) {
    zn_buf word = { 0 };
    zonda_err err = ZONDA_OK;
    zn_words_clear(out);
    for (size_t i = 0; err == ZONDA_OK && i < template->count; i++) {
        const part *next = &template->parts[i];
        zn_bytes value;
        if (!next->is_place) {
            zn_buf_append(&word, next->text, next->len);
        } else if ((err = find_value(next, record, &value, error)) == ZONDA_OK) {
            err = put_value(next, value, &word, error);
        }
        if (err == ZONDA_OK && next->ends_word) {
            zn_words_add(out, zn_buf_bytes(&word));
            word.len = 0;
        }
    }
    zn_buf_free(&word);
    return err;
}
