/* SPDX-License-Identifier: MPL-2.0 */
/* Verbs of the command line: words between "then" are one operator with its arguments. All that is
 * known about operators comes from the operator table, so a new operator is a new verb by itself.
 * A word becomes the MessagePack value that the argument's type asks for; checking the values is
 * left to the dataset layer, which all faces share. */
#include "cli/verbs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/verb_help.h"
#include "cli/verb_inputs.h"
#include "ops/op_table.h"
#include "ops/plugin.h"
#include "plan/dataset.h"
#include "record/json.h"
#include "record/value.h"

/* The words of one verb while they are turned into an argument map. */
typedef struct verb_parse {
    const zn_op_def *op;
    char *const *words;
    size_t count;
    size_t next;       /* word to look at next */
    size_t positional; /* argument that the next plain word is for */
    zn_buf values;     /* name and value pairs so far */
    uint32_t pairs;
    zn_json_reader *json;
    const zn_plugin_list *plugins;
} verb_parse;

/* A word that is a JSON number, constant, list or object is that value, any other is a text. */
static void put_value(verb_parse *verb, const char *word) {
    zonda_error ignored;
    bool json_like = strchr("-0123456789[{tfn", word[0]) != NULL && word[0] != '\0';
    if (!json_like ||
        zn_json_read(verb->json, zn_bytes_of_text(word), &verb->values, &ignored) != ZONDA_OK) {
        zn_put_text(&verb->values, word);
    }
}

/* Fields may be given as several words, or joined by commas. */
static uint32_t put_texts(zn_buf *out, const char *word) {
    uint32_t count = 0;
    while (true) {
        size_t length = strcspn(word, ",");
        zn_put_string(out, (zn_bytes){ (const uint8_t *)word, length });
        count++;
        if (word[length] == '\0') {
            return count;
        }
        word += length + 1;
    }
}

static bool is_option(const char *word) {
    return word[0] == '-' && word[1] == '-' && word[2] != '\0';
}

/* Bytes up to a comma that is in no brackets and no quotes. */
static size_t expr_length(const char *word) {
    size_t depth = 0;
    char quote = '\0';
    size_t at = 0;
    for (; word[at] != '\0' && (word[at] != ',' || depth > 0 || quote != '\0'); at++) {
        char byte = word[at];
        if (quote != '\0') {
            quote = byte == quote ? '\0' : quote;
        } else if (byte == '"' || byte == '\'') {
            quote = byte;
        } else if (byte == '(') {
            depth++;
        } else if (byte == ')' && depth > 0) {
            depth--;
        }
    }
    return at;
}

static void put_trimmed(zn_buf *out, const char *text, size_t len) {
    while (len > 0 && isspace((unsigned char)text[0])) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    zn_put_string(out, (zn_bytes){ (const uint8_t *)text, len });
}

/* The KEY=VALUE pairs of a word, of which expressions may have several. */
static zonda_err put_pairs(zn_buf *out, const zn_arg_def *arg, const char *word, uint32_t *count,
                           zonda_error *error) {
    bool is_expr = arg->type == ZN_ARG_EXPRS;
    for (bool more = true; more; ++*count) {
        size_t len = is_expr ? expr_length(word) : strlen(word);
        const char *equals = memchr(word, '=', len);
        if (equals == NULL) {
            return zn_error_set(error, ZONDA_ERR_PLAN, "%s: '%.*s' has no '='", arg->name, (int)len,
                                word);
        }
        size_t name_len = (size_t)(equals - word);
        if (is_expr) {
            put_trimmed(out, word, name_len);
            put_trimmed(out, equals + 1, len - name_len - 1);
        } else {
            zn_put_string(out, (zn_bytes){ (const uint8_t *)word, name_len });
            zn_put_text(out, equals + 1);
        }
        more = word[len] != '\0';
        word += len + (more ? 1 : 0);
    }
    return ZONDA_OK;
}

/* The pairs of all plain words that are left, as one map. */
static zonda_err put_names(verb_parse *verb, const zn_arg_def *arg, zonda_error *error) {
    uint32_t count = 0;
    zn_buf names = { 0 };
    zonda_err err = ZONDA_OK;
    while (err == ZONDA_OK && verb->next < verb->count && !is_option(verb->words[verb->next])) {
        err = put_pairs(&names, arg, verb->words[verb->next++], &count, error);
    }
    zn_put_map(&verb->values, count);
    zn_buf_append(&verb->values, names.data, names.len);
    zn_buf_free(&names);
    return err;
}

/* All plain words that are left, as one list. */
static void put_list(verb_parse *verb, const zn_arg_def *arg) {
    zn_buf items = { 0 };
    uint32_t count = 0;
    zn_buf outer = verb->values;
    verb->values = items;
    while (verb->next < verb->count && !is_option(verb->words[verb->next])) {
        const char *word = verb->words[verb->next++];
        if (arg->type == ZN_ARG_TEXTS) {
            count += put_texts(&verb->values, word);
        } else {
            put_value(verb, word);
            count++;
        }
    }
    items = verb->values;
    verb->values = outer;
    zn_put_array(&verb->values, count);
    zn_buf_append(&verb->values, items.data, items.len);
    zn_buf_free(&items);
}

/* One word is a text that is still to be split; several words, or those behind "--", are taken as
 * they are. */
static void put_command(verb_parse *verb) {
    bool all = strcmp(verb->words[verb->next], "--") == 0;
    verb->next += all ? 1 : 0;
    size_t end = verb->next;
    while (end < verb->count && (all || !is_option(verb->words[end]))) {
        end++;
    }
    uint32_t count = (uint32_t)(end - verb->next);
    if (all || count != 1) {
        zn_put_array(&verb->values, count);
    }
    while (verb->next < end) {
        zn_put_text(&verb->values, verb->words[verb->next++]);
    }
}

/* "@NAME" is a function of a plug-in, which no Lua begins with; anything else is Lua. */
static zonda_err put_function(verb_parse *verb, const zn_arg_def *arg, const char *text,
                              zonda_error *error) {
    if (text[0] == '@') {
        const char *name = NULL;
        const zonda_plugin *plugin = zn_plugin_list_resolve(verb->plugins, text, &name, error);
        if (plugin == NULL) {
            return error->code;
        }
        zn_plugin_put_function(&verb->values, plugin->digest, zn_bytes_of_text(plugin->file),
                               zn_bytes_of_text(name));
        return ZONDA_OK;
    }
    zn_put_map(&verb->values, 2);
    zn_put_text(&verb->values, "kind");
    zn_put_text(&verb->values, arg->block ? "lua-block" : "lua-expression");
    zn_put_text(&verb->values, "text");
    zn_put_text(&verb->values, text);
    return ZONDA_OK;
}

/* Whether it is names of fields joined by commas: letters, digits, underscores, and dots for nested
 * ones. Anything else, as a name with a dash in it, means something in Lua. */
static bool is_names(const char *word) {
    bool begins = true;
    for (const char *at = word; *at != '\0'; at++) {
        bool is_letter = isalpha((unsigned char)*at) != 0 || *at == '_';
        bool is_inner = isdigit((unsigned char)*at) != 0 || *at == '.' || *at == ',';
        if (!is_letter && (begins || !is_inner)) {
            return false;
        }
        begins = *at == ',';
    }
    return !begins;
}

/* A field, several as a list, or a function. `r` is the record, as in every expression. */
static zonda_err put_key(verb_parse *verb, const zn_arg_def *arg, const char *word,
                         zonda_error *error) {
    if (!is_names(word) || strcmp(word, "r") == 0) {
        return put_function(verb, arg, word, error);
    }
    uint32_t count = 1;
    for (const char *at = word; *at != '\0'; at++) {
        count += *at == ',' ? 1 : 0;
    }
    if (count > 1) {
        zn_put_array(&verb->values, count);
    }
    put_texts(&verb->values, word);
    return ZONDA_OK;
}

/* Which numbers are right is for the dataset layer; here it only has to be one. */
static zonda_err put_number(verb_parse *verb, const zn_arg_def *arg, const char *word,
                            zonda_error *error) {
    char *end = NULL;
    double number = strtod(word, &end);
    if (end == word || *end != '\0') {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s: '%s' is not a number", arg->name, word);
    }
    zn_put_double(&verb->values, number);
    return ZONDA_OK;
}

static zonda_err put_word(verb_parse *verb, const zn_arg_def *arg, const char *word,
                          zonda_error *error) {
    uint64_t number = 0;
    switch (arg->type) {
    case ZN_ARG_UINT:
        if (!zn_cli_number(word, 0, arg->max == 0 ? UINT64_MAX : arg->max, &number)) {
            return zn_error_set(error, ZONDA_ERR_PLAN,
                                "%s: '%s' is not a whole number from 0 to %llu", arg->name, word,
                                (unsigned long long)(arg->max == 0 ? UINT64_MAX : arg->max));
        }
        zn_put_uint(&verb->values, number);
        return ZONDA_OK;
    case ZN_ARG_TEXT:
    case ZN_ARG_SWITCH:
        zn_put_text(&verb->values, word);
        return ZONDA_OK;
    case ZN_ARG_FUNCTION:
        return put_function(verb, arg, word, error);
    case ZN_ARG_KEY:
        return put_key(verb, arg, word, error);
    case ZN_ARG_VALUE:
        put_value(verb, word);
        return ZONDA_OK;
    case ZN_ARG_NUMBER:
        return put_number(verb, arg, word, error);
    case ZN_ARG_BOOL:
    case ZN_ARG_TEXTS:
    case ZN_ARG_VALUES:
    case ZN_ARG_NAMES:
    case ZN_ARG_EXPRS:
    case ZN_ARG_COMMAND:
        break;
    }
    return zn_error_set(error, ZONDA_ERR_INTERNAL, "%s: cannot be given as a word", arg->name);
}

static zonda_err parse_option(verb_parse *verb, zonda_error *error) {
    const char *word = verb->words[verb->next++] + 2;
    size_t length = strcspn(word, "=");
    const zn_arg_def *arg = zn_verb_option(verb->op, word);
    if (arg == NULL) {
        return zn_verb_fail_unknown(verb->op, NULL, word, error);
    }
    zn_put_text(&verb->values, arg->name);
    verb->pairs++;
    if (arg->type == ZN_ARG_BOOL) {
        zn_put_bool(&verb->values, true);
        return word[length] == '\0'
                   ? ZONDA_OK
                   : zn_error_set(error, ZONDA_ERR_PLAN, "option --%.*s takes no value",
                                  (int)length, word);
    }
    if (arg->type == ZN_ARG_SWITCH && word[length] == '\0') {
        zn_put_bool(&verb->values, true);
        return ZONDA_OK;
    }
    if (word[length] == '=') {
        return put_word(verb, arg, word + length + 1, error);
    }
    if (verb->next == verb->count) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "option --%s needs a value", word);
    }
    return put_word(verb, arg, verb->words[verb->next++], error);
}

static zonda_err parse_plain(verb_parse *verb, zonda_error *error) {
    const zn_op_def *op = verb->op;
    if (verb->positional == op->arg_count || op->args[verb->positional].use == ZN_ARG_OPTION) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "unexpected word '%s'", verb->words[verb->next]);
    }
    const zn_arg_def *arg = &op->args[verb->positional++];
    zn_put_text(&verb->values, arg->name);
    verb->pairs++;
    if (arg->type == ZN_ARG_TEXTS || arg->type == ZN_ARG_VALUES) {
        put_list(verb, arg);
        return ZONDA_OK;
    }
    if (arg->type == ZN_ARG_NAMES || arg->type == ZN_ARG_EXPRS) {
        return put_names(verb, arg, error);
    }
    if (arg->type == ZN_ARG_COMMAND) {
        put_command(verb);
        return ZONDA_OK;
    }
    return put_word(verb, arg, verb->words[verb->next++], error);
}

/* `from-list` without words is the empty list, not a missing argument. */
static void add_empty_list(verb_parse *verb) {
    const zn_op_def *op = verb->op;
    if (verb->positional == 0 && op->arg_count > 0 && op->args[0].type == ZN_ARG_VALUES) {
        zn_put_text(&verb->values, op->args[0].name);
        zn_put_array(&verb->values, 0);
        verb->pairs++;
    }
}

static zonda_err parse_words(verb_parse *verb, zonda_error *error) {
    while (verb->next < verb->count) {
        zonda_err code = is_option(verb->words[verb->next]) ? parse_option(verb, error)
                                                            : parse_plain(verb, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    add_empty_list(verb);
    return ZONDA_OK;
}

/* The dataset with the verb, whose words are parsed, applied to the inputs; consumes them. */
static zonda_dataset *apply_verb(const verb_parse *verb, zonda_dataset **inputs, size_t count) {
    zn_buf args = { 0 };
    zn_put_map(&args, verb->pairs);
    zn_buf_append(&args, verb->values.data, verb->values.len);
    zonda_dataset *made = zn_dataset_apply(verb->op->name, zn_buf_bytes(&args), inputs, count);
    zn_dataset_attach_plugins(made, (const zonda_plugin *const *)verb->plugins->items,
                              verb->plugins->count);
    zn_buf_free(&args);
    return made;
}

/* Consumes `*dataset` (may be NULL) and sets it to the dataset with this verb applied. */
static zonda_err parse_plain_verb(verb_parse *verb, zonda_dataset **dataset, zonda_error *error) {
    zonda_err code = parse_words(verb, error);
    if (code == ZONDA_OK) {
        *dataset = apply_verb(verb, dataset, *dataset == NULL ? 0 : 1);
    }
    return code;
}

static zonda_err check_place(const zn_op_def *op, bool first, zonda_error *error) {
    if (first && op->op_class != ZN_OP_SOURCE) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "a pipeline begins with a source, such as read or from-range");
    }
    if (!first && op->op_class == ZN_OP_SOURCE) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a source begins a pipeline, it cannot follow");
    }
    return ZONDA_OK;
}

static zonda_err parse_verb(char *const *words, size_t count, zonda_dataset **dataset,
                            zn_json_reader *json, const zn_plugin_list *plugins,
                            zonda_error *error);

/* `VERB GLOB… OPTION…` of an operator on several datasets: each pattern is read as `read GLOB
 * OPTION…` would, with those of the options that are of read. */
static zonda_err parse_inputs(verb_parse *verb, zonda_dataset **dataset, zonda_error *error) {
    zn_verb_inputs split;
    zonda_err err = zn_verb_inputs_split(verb->op, verb->words, verb->count, &split, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zonda_dataset **inputs = zn_calloc(split.glob_count + 1, sizeof *inputs);
    verb->words = split.own;
    verb->count = split.own_count;
    inputs[0] = *dataset;
    err = parse_words(verb, error);
    for (size_t i = 0; i < split.glob_count && err == ZONDA_OK; i++) {
        split.reading[1] = split.globs[i];
        err = parse_verb(split.reading, split.reading_count, &inputs[i + 1], verb->json,
                         verb->plugins, error);
    }
    if (err == ZONDA_OK) {
        *dataset = apply_verb(verb, inputs, split.glob_count + 1);
    }
    for (size_t i = 1; i <= split.glob_count && err != ZONDA_OK; i++) {
        zonda_dataset_destroy(&inputs[i]);
    }
    free(inputs);
    zn_verb_inputs_free(&split);
    return err;
}

static zonda_err parse_verb(char *const *words, size_t count, zonda_dataset **dataset,
                            zn_json_reader *json, const zn_plugin_list *plugins,
                            zonda_error *error) {
    if (count == 0) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a verb is missing beside 'then'");
    }
    const zn_op_def *op = zn_op_find_user(zn_bytes_of_text(words[0]), error);
    if (op == NULL) {
        return error->code;
    }
    verb_parse verb = {
        .op = op, .words = words, .count = count, .next = 1, .json = json, .plugins = plugins
    };
    zonda_err code = check_place(op, *dataset == NULL, error);
    if (code == ZONDA_OK) {
        code = op->many_inputs || op->two_inputs ? parse_inputs(&verb, dataset, error)
                                                 : parse_plain_verb(&verb, dataset, error);
    }
    if (code == ZONDA_OK && (*dataset)->error.code != ZONDA_OK) {
        *error = (*dataset)->error;
        code = error->code;
    } else if (code != ZONDA_OK) {
        zn_error_prefix(error, "%s: ", words[0]);
    }
    zn_buf_free(&verb.values);
    return code;
}

zonda_dataset *zn_verbs_parse(char *const *words, size_t count, const zn_plugin_list *plugins,
                              zonda_error *error) {
    zn_json_reader *json = zn_json_reader_new();
    zonda_dataset *dataset = NULL;
    zonda_err code = ZONDA_OK;
    size_t start = 0;
    while (code == ZONDA_OK && start <= count) {
        size_t end = start;
        while (end < count && strcmp(words[end], "then") != 0) {
            end++;
        }
        code = parse_verb(words + start, end - start, &dataset, json, plugins, error);
        start = end + 1;
    }
    zn_json_reader_destroy(&json);
    if (code != ZONDA_OK) {
        zonda_dataset_destroy(&dataset);
    }
    return dataset;
}
