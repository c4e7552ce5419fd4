/* SPDX-License-Identifier: MPL-2.0 */
/* Verbs on several datasets. On the command line a pipeline is one chain, so other datasets are
 * files: their patterns are the plain words of the verb, and options that read has go to read. No
 * verb has an option of a name that read has. */
#include "cli/verb_inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/verb_help.h"

/* The table has underscores where the command line has dashes. */
const zn_arg_def *zn_verb_option(const zn_op_def *op, const char *word) {
    char *given = zn_strndup(word, strcspn(word, "="));
    char *name = zn_verb_spell(given, '-', '_');
    const zn_arg_def *arg = zn_op_arg(op, zn_bytes_of_text(name));
    free(name);
    free(given);
    return arg;
}

static void list_options(const zn_op_def *op, zn_buf *out) {
    for (size_t i = 0; op != NULL && i < op->arg_count; i++) {
        if (op->args[i].use != ZN_ARG_POSITIONAL) {
            char *name = zn_verb_spell(op->args[i].name, '_', '-');
            zn_buf_printf(out, " --%s", name);
            free(name);
        }
    }
}

zonda_err zn_verb_fail_unknown(const zn_op_def *op, const zn_op_def *other, const char *word,
                               zonda_error *error) {
    zn_buf known = { 0 };
    list_options(op, &known);
    list_options(other, &known);
    zonda_err code = zn_error_set(error, ZONDA_ERR_PLAN, "unknown option --%.*s; known:%.*s",
                                  (int)strcspn(word, "="), word, known.len > 0 ? (int)known.len : 5,
                                  known.len > 0 ? (const char *)known.data : " none");
    zn_buf_free(&known);
    return code;
}

/* How many words an option takes, with its value. */
static size_t option_length(const zn_arg_def *arg, const char *word) {
    bool alone = arg->type == ZN_ARG_BOOL || arg->type == ZN_ARG_SWITCH;
    return alone || strchr(word, '=') != NULL ? 1 : 2;
}

zonda_err zn_verb_inputs_split(const zn_op_def *op, char *const *words, size_t count,
                               zn_verb_inputs *out, zonda_error *error) {
    static char read[] = "read";
    const zn_op_def *reader = zn_op_find(zn_bytes_of_text(read));
    zn_verb_inputs split = { .own = zn_calloc(count + 1, sizeof *split.own),
                             .reading = zn_calloc(count + 1, sizeof *split.reading),
                             .globs = zn_calloc(count, sizeof *split.globs),
                             .own_count = 1,
                             .reading_count = 2 };
    split.own[0] = words[0];
    split.reading[0] = read;
    for (size_t i = 1; i < count;) {
        if (strncmp(words[i], "--", 2) != 0 || words[i][2] == '\0') {
            split.globs[split.glob_count++] = words[i++];
            continue;
        }
        const zn_arg_def *own = zn_verb_option(op, words[i] + 2);
        const zn_arg_def *arg = own != NULL ? own : zn_verb_option(reader, words[i] + 2);
        if (arg == NULL) {
            zn_verb_inputs_free(&split);
            return zn_verb_fail_unknown(op, reader, words[i] + 2, error);
        }
        for (size_t left = option_length(arg, words[i]); left > 0 && i < count; left--) {
            *(own != NULL ? &split.own[split.own_count++] : &split.reading[split.reading_count++]) =
                words[i++];
        }
    }
    *out = split;
    return ZONDA_OK;
}

void zn_verb_inputs_free(zn_verb_inputs *inputs) {
    free(inputs->own);
    free(inputs->reading);
    free(inputs->globs);
    *inputs = (zn_verb_inputs){ 0 };
}
