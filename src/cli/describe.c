/* SPDX-License-Identifier: MPL-2.0 */
/* The program describes itself as JSON, from the tables that parse and print help: commands, the
 * options of each (argp), verbs (operators), exit statuses. scripts/cli_pages.py makes manual pages
 * and completion of it, so that they cannot say anything else than the program does. */
#include "cli/describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/verb_help.h"
#include "record/json.h"
#include "record/value.h"

static void put_pair(zn_buf *out, const char *name, const char *text) {
    zn_put_text(out, name);
    zn_put_text(out, text == NULL ? "" : text);
}

static void print_value(zn_buf *value, FILE *out) {
    zn_buf text = { 0 };
    zonda_err code = zn_json_write(zn_buf_bytes(value), &text, NULL);
    ZN_ASSERT(code == ZONDA_OK); /* the tables are ours */
    fprintf(out, "%.*s\n", (int)text.len, (const char *)text.data);
    zn_buf_free(&text);
    zn_buf_free(value);
}

static void describe_commands(const zn_command *commands, size_t count, zn_buf *out) {
    uint32_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        shown += commands[i].doc != NULL ? 1 : 0;
    }
    zn_put_array(out, shown);
    for (size_t i = 0; i < count; i++) {
        if (commands[i].doc != NULL) {
            zn_put_map(out, 2);
            put_pair(out, "name", commands[i].name);
            put_pair(out, "doc", commands[i].doc);
        }
    }
}

static void describe_exits(zn_buf *out) {
    static const struct {
        uint64_t status;
        const char *text;
    } exits[] = {
#define EXIT_ROW(name, number, text) { number, text },
        ZN_EXIT_LIST(EXIT_ROW)
#undef EXIT_ROW
    };
    zn_put_array(out, sizeof exits / sizeof *exits);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        zn_put_map(out, 2);
        zn_put_text(out, "status");
        zn_put_uint(out, exits[i].status);
        put_pair(out, "doc", exits[i].text);
    }
}

void zn_describe_program(const zn_command *commands, size_t count, FILE *out) {
    zn_buf value = { 0 };
    zn_put_map(&value, 4);
    put_pair(&value, "version", ZONDA_VERSION);
    zn_put_text(&value, "commands");
    describe_commands(commands, count, &value);
    zn_put_text(&value, "operators");
    zn_verbs_describe(&value);
    zn_put_text(&value, "exits");
    describe_exits(&value);
    print_value(&value, out);
}

static void describe_option(const struct argp_option *option, zn_buf *out) {
    char key[2] = { option->key > ' ' && option->key < 127 ? (char)option->key : '\0', '\0' };
    zn_put_map(out, 4);
    put_pair(out, "name", option->name);
    put_pair(out, "key", key);
    put_pair(out, "word", option->arg);
    put_pair(out, "doc", option->doc);
}

static bool is_shown(const struct argp_option *option) {
    return option->name != NULL && (option->flags & OPTION_HIDDEN) == 0;
}

void zn_describe_command(const struct argp *argp, FILE *out) {
    uint32_t count = 0;
    for (const struct argp_option *at = argp->options; at != NULL && at->name != NULL; at++) {
        count += is_shown(at) ? 1 : 0;
    }
    /* argp prints the part of a doc after \v behind the options. */
    const char *doc = argp->doc == NULL ? "" : argp->doc;
    size_t length = strcspn(doc, "\v");
    zn_buf value = { 0 };
    zn_put_map(&value, 4);
    put_pair(&value, "args", argp->args_doc);
    zn_put_text(&value, "doc");
    zn_put_string(&value, (zn_bytes){ (const uint8_t *)doc, length });
    put_pair(&value, "post", doc[length] == '\v' ? doc + length + 1 : "");
    zn_put_text(&value, "options");
    zn_put_array(&value, count);
    for (const struct argp_option *at = argp->options; at != NULL && at->name != NULL; at++) {
        if (is_shown(at)) {
            describe_option(at, &value);
        }
    }
    print_value(&value, out);
}
