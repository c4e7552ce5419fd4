/* SPDX-License-Identifier: MPL-2.0 */
/* What is said about verbs, all of it from the operator table: the second half of `zonda run
 * --help`, and the description from which manual pages, completion and the reference are made.
 * The words for values follow from types and names, so that an operator needs nothing for its
 * help but its row. argp breaks lines that are too long for it, and counts bytes; lines are
 * therefore broken here, where the indentation is known. */
#include "cli/verb_help.h"

#include <argp.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/value.h"

enum {
    LINE_BYTES_MAX = 78, /* argp breaks at 79 */
    DOC_INDENT = 6,
    ARG_WIDTH = 18,
};

char *zn_verb_spell(const char *name, char from, char to) {
    char *spelled = zn_strdup(name);
    for (char *at = spelled; *at != '\0'; at++) {
        *at = *at == from ? to : *at;
    }
    return spelled;
}

/* "fields" as FIELD. */
static void append_upper(zn_buf *out, const char *name, bool is_list) {
    size_t len = strlen(name);
    len -= is_list && len > 1 && name[len - 1] == 's' ? 1 : 0;
    for (size_t i = 0; i < len; i++) {
        zn_buf_append_byte(out, name[i] == '_' ? '-' : (uint8_t)toupper((unsigned char)name[i]));
    }
}

void zn_verb_word(const zn_arg_def *arg, zn_buf *out) {
    switch (arg->type) {
    case ZN_ARG_BOOL:
        break;
    case ZN_ARG_SWITCH:
        zn_buf_append_text(out, "[=NAME]");
        break;
    case ZN_ARG_UINT:
        zn_buf_append_text(out, "N");
        break;
    case ZN_ARG_FUNCTION:
        zn_buf_append_text(out, arg->block ? "BLOCK" : "EXPR");
        break;
    case ZN_ARG_KEY:
        zn_buf_append_text(out, "KEY");
        break;
    case ZN_ARG_NAMES:
        zn_buf_append_text(out, "NEW=OLD…");
        break;
    case ZN_ARG_EXPRS:
        zn_buf_append_text(out, "NAME=EXPR…");
        break;
    case ZN_ARG_VALUE:
        zn_buf_append_text(out, "VALUE");
        break;
    case ZN_ARG_COMMAND:
        zn_buf_append_text(out, "COMMAND");
        break;
    case ZN_ARG_TEXTS:
    case ZN_ARG_VALUES:
        append_upper(out, arg->name, true);
        zn_buf_append_text(out, "…");
        break;
    default:
        append_upper(out, arg->name, false);
        break;
    }
}

static const char *type_name(zn_arg_type type) {
    switch (type) {
    case ZN_ARG_UINT:
        return "number";
    case ZN_ARG_BOOL:
        return "flag";
    case ZN_ARG_TEXT:
        return "text";
    case ZN_ARG_TEXTS:
        return "list of texts";
    case ZN_ARG_VALUES:
        return "list of values";
    case ZN_ARG_FUNCTION:
        return "function";
    case ZN_ARG_KEY:
        return "key";
    case ZN_ARG_NUMBER:
        return "number";
    case ZN_ARG_NAMES:
        return "map of texts";
    case ZN_ARG_EXPRS:
        return "map of expressions";
    case ZN_ARG_COMMAND:
        return "command";
    case ZN_ARG_SWITCH:
        return "flag or text";
    default:
        return "value";
    }
}

/* "--shards N" or "GLOB", as it stands in a command. */
static void append_usage(const zn_arg_def *arg, zn_buf *out) {
    if (arg->use == ZN_ARG_OPTION) {
        char *name = zn_verb_spell(arg->name, '_', '-');
        zn_buf_printf(out, "--%s%s", name,
                      arg->type == ZN_ARG_BOOL || arg->type == ZN_ARG_SWITCH ? "" : " ");
        free(name);
    }
    zn_verb_word(arg, out);
}

/* Prints `text` from column `column` on, broken at spaces; further lines begin at `indent`. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent) {
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > indent && column + 1 + len > LINE_BYTES_MAX) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)len, text);
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_indented(FILE *out, const char *text, size_t indent) {
    fprintf(out, "%*s", (int)indent, "");
    print_wrapped(out, text, indent, indent);
}

/* The verb and its arguments; an argument is not broken, so its inner space is not one. */
static void print_verb_line(FILE *out, const zn_op_def *op) {
    char *name = zn_verb_spell(op->name, '_', '-');
    size_t column = (size_t)fprintf(out, "  %s", name);
    free(name);
    for (size_t i = 0; i < op->arg_count; i++) {
        zn_buf usage = { 0 };
        bool needed = op->args[i].use == ZN_ARG_POSITIONAL;
        zn_buf_append_text(&usage, needed ? "" : "[");
        append_usage(&op->args[i], &usage);
        zn_buf_append_text(&usage, needed ? "" : "]");
        if (column + 1 + usage.len > LINE_BYTES_MAX) {
            column = (size_t)fprintf(out, "\n%*s", 2 * DOC_INDENT, "") - 1;
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)usage.len, (const char *)usage.data);
        column += usage.len;
        zn_buf_free(&usage);
    }
    fputc('\n', out);
}

static void print_arg(FILE *out, const zn_arg_def *arg) {
    zn_buf usage = { 0 };
    append_usage(arg, &usage);
    /* "…" is three bytes and one column. */
    int shown = (int)usage.len - (arg->type == ZN_ARG_TEXTS || arg->type == ZN_ARG_VALUES ? 2 : 0);
    int pad = shown < ARG_WIDTH ? ARG_WIDTH - shown : 0;
    fprintf(out, "%*s%.*s%*s", DOC_INDENT, "", (int)usage.len, (const char *)usage.data, pad, "");
    size_t indent = DOC_INDENT + ARG_WIDTH + 2;
    size_t column = DOC_INDENT + usage.len + (size_t)pad;
    if (shown > ARG_WIDTH) {
        fprintf(out, "\n%*s", (int)indent, "");
        column = indent;
    } else {
        fputs("  ", out);
        column = indent;
    }
    print_wrapped(out, arg->doc, column, indent);
    zn_buf_free(&usage);
}

void zn_verbs_print(FILE *out) {
    size_t count = 0;
    const zn_op_def *const *table = zn_op_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i]->op_class == ZN_OP_INNER) {
            continue;
        }
        print_verb_line(out, table[i]);
        print_indented(out, table[i]->doc, DOC_INDENT);
        for (size_t j = 0; j < table[i]->arg_count; j++) {
            print_arg(out, &table[i]->args[j]);
        }
    }
}

static void put_pair(zn_buf *out, const char *name, const char *text) {
    zn_put_text(out, name);
    zn_put_text(out, text);
}

static void describe_arg(const zn_arg_def *arg, zn_buf *out) {
    static const char *const uses[] = { "positional", "optional", "option" };
    zn_buf word = { 0 };
    zn_verb_word(arg, &word);
    zn_put_map(out, 7);
    put_pair(out, "name", arg->name);
    put_pair(out, "type", type_name(arg->type));
    put_pair(out, "use", uses[arg->use]);
    zn_put_text(out, "word");
    zn_put_string(out, zn_buf_bytes(&word));
    zn_put_text(out, "block");
    zn_put_bool(out, arg->block);
    zn_put_text(out, "max");
    zn_put_uint(out, arg->max);
    put_pair(out, "doc", arg->doc);
    zn_buf_free(&word);
}

static void describe_op(const zn_op_def *op, zn_buf *out) {
    static const char *const classes[] = { "source", "narrow", "fold", "sink", "inner" };
    char *verb = zn_verb_spell(op->name, '_', '-');
    zn_put_map(out, 5);
    put_pair(out, "name", op->name);
    put_pair(out, "verb", verb);
    put_pair(out, "class",
             op->op_class < sizeof classes / sizeof *classes ? classes[op->op_class] : "other");
    put_pair(out, "doc", op->doc);
    zn_put_text(out, "args");
    zn_put_array(out, (uint32_t)op->arg_count);
    for (size_t i = 0; i < op->arg_count; i++) {
        describe_arg(&op->args[i], out);
    }
    free(verb);
}

void zn_verbs_describe(zn_buf *out) {
    size_t count = 0;
    const zn_op_def *const *table = zn_op_table(&count);
    uint32_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        shown += table[i]->op_class != ZN_OP_INNER ? 1 : 0;
    }
    zn_put_array(out, shown);
    for (size_t i = 0; i < count; i++) {
        if (table[i]->op_class != ZN_OP_INNER) {
            describe_op(table[i], out);
        }
    }
}

char *zn_verbs_help_filter(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    if (stream == NULL) {
        return (char *)(uintptr_t)text;
    }
    fputs("Verbs, joined by `then`:\n", stream);
    zn_verbs_print(stream);
    fprintf(stream, "\n%s", text);
    fclose(stream);
    return out;
}
