/* SPDX-License-Identifier: MPL-2.0 */
/* One small function per operator turns its arguments and options into a call of the public
 * function of the same name, so every public function that builds datasets is called here. Options
 * are counted as they are taken; one that nobody took ends the process, so that no case can seem to
 * pass because its option was not looked at. */
#include "chain_step.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/value.h"

enum {
    FIELDS_MAX = 8,
    COMMAND_MAX = 8
};

typedef chain_build_step build_step;

void chain_give_up(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("conformance_runner: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(70);
}

char *chain_keep_text(step *self, zn_bytes value) {
    zn_value head = zn_value_head(value);
    if (head.type != ZN_VALUE_STRING || self->text_count == CHAIN_TEXTS_MAX) {
        chain_give_up("%.*s: a text is expected", (int)self->op.len, (const char *)self->op.data);
    }
    char *text = zn_strndup((const char *)head.bytes.data, head.bytes.len);
    self->texts[self->text_count++] = text;
    return text;
}

uint32_t chain_arg_count(const step *self) {
    return zn_value_head(self->args).count;
}

zn_bytes chain_arg(const step *self, uint32_t index) {
    zn_cursor cursor = zn_cursor_of(self->args);
    if (index >= zn_cursor_read(&cursor).count) {
        chain_give_up("%.*s: argument %u is missing", (int)self->op.len,
                      (const char *)self->op.data, index);
    }
    for (uint32_t i = 0; i < index; i++) {
        zn_cursor_skip(&cursor);
    }
    return zn_cursor_skip(&cursor);
}

const char *chain_arg_text(step *self, uint32_t index) {
    return chain_keep_text(self, chain_arg(self, index));
}

static uint64_t to_uint(const step *self, zn_bytes value) {
    zn_value head = zn_value_head(value);
    if (head.type == ZN_VALUE_UINT) {
        return head.uinteger;
    }
    if (head.type != ZN_VALUE_INT || head.integer < 0) {
        chain_give_up("%.*s: a number that C can pass is expected", (int)self->op.len,
                      (const char *)self->op.data);
    }
    return (uint64_t)head.integer;
}

uint64_t chain_arg_uint(step *self, uint32_t index) {
    return to_uint(self, chain_arg(self, index));
}

/* The plug-in of the cases, read once. */
static const zonda_plugin *the_plugin(void) {
    static zonda_plugin *plugin;
    if (plugin == NULL) {
        zonda_error error = { 0 };
        const char *path = getenv("PLUGIN_FILE");
        plugin = path == NULL ? NULL : zonda_plugin_open(path, &error);
        if (plugin == NULL) {
            chain_give_up("the plug-in in PLUGIN_FILE cannot be read: %s", error.text);
        }
    }
    return plugin;
}

zonda_func chain_function(step *self, zn_bytes value) {
    zn_bytes kind;
    zn_bytes text;
    if (!zn_value_field_text(value, "function", &kind) ||
        !zn_value_field(value, zn_bytes_of_text("text"), &text)) {
        chain_give_up("%.*s: a function is expected", (int)self->op.len,
                      (const char *)self->op.data);
    }
    const char *kept = chain_keep_text(self, text);
    if (zn_bytes_equal(kind, zn_bytes_of_text("plugin"))) {
        return zonda_plugin_fn(the_plugin(), kept);
    }
    if (zn_bytes_equal(kind, zn_bytes_of_text("c"))) {
        return zonda_fn(kept);
    }
    return zn_bytes_equal(kind, zn_bytes_of_text("block")) ? zonda_lua_block(kept)
                                                           : zonda_lua(kept);
}

static zonda_func arg_function(step *self, uint32_t index) {
    return chain_function(self, chain_arg(self, index));
}

bool chain_take_option(step *self, const char *name, zn_bytes *value) {
    if (!zn_value_field(self->options, zn_bytes_of_text(name), value)) {
        return false;
    }
    self->options_taken++;
    return true;
}

const char *chain_option_text(step *self, const char *name) {
    zn_bytes value;
    return chain_take_option(self, name, &value) ? chain_keep_text(self, value) : NULL;
}

uint64_t chain_option_uint(step *self, const char *name) {
    zn_bytes value;
    return chain_take_option(self, name, &value) ? to_uint(self, value) : 0;
}

bool chain_option_bool(step *self, const char *name) {
    zn_bytes value;
    return chain_take_option(self, name, &value) && zn_value_head(value).boolean;
}

static zonda_dataset *build_from_list(step *self) {
    zn_bytes list = chain_arg(self, 0);
    zn_cursor cursor = zn_cursor_of(list);
    zn_cursor_read(&cursor);
    return zonda_from_list(cursor.at, (size_t)(cursor.end - cursor.at));
}

static zonda_dataset *build_from_json(step *self) {
    return zonda_from_json(chain_arg_text(self, 0));
}

static zonda_dataset *build_from_range(step *self) {
    zonda_range_options options = { .shards = chain_option_uint(self, "shards") };
    return zonda_from_range(chain_arg_uint(self, 0), &options);
}

static zonda_dataset *build_from_files(step *self) {
    zonda_files_options options = { .empty_ok = chain_option_bool(self, "empty_ok") };
    return zonda_from_files(chain_arg_text(self, 0), &options);
}

/* The option is a flag, or the name of the field. */
static void take_include_paths(step *self, zonda_read_options *options) {
    zn_bytes value;
    if (!chain_take_option(self, "include_paths", &value)) {
        return;
    }
    if (zn_value_head(value).type == ZN_VALUE_BOOL) {
        options->include_paths = zn_value_head(value).boolean;
    } else {
        options->path_field = chain_keep_text(self, value);
    }
}

static zonda_dataset *build_read(step *self) {
    zonda_read_options options = { .format = chain_option_text(self, "format"),
                                   .empty_ok = chain_option_bool(self, "empty_ok"),
                                   .split_bytes = chain_option_uint(self, "split_bytes"),
                                   .on_bad_record = chain_option_text(self, "on_bad_record"),
                                   .bad_records = chain_option_text(self, "bad_records"),
                                   .record_bytes_max =
                                       chain_option_uint(self, "record_bytes_max") };
    take_include_paths(self, &options);
    return zonda_read(chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_map(step *self) {
    return zonda_map(self->input, arg_function(self, 0));
}

static zonda_dataset *build_flat_map(step *self) {
    return zonda_flat_map(self->input, arg_function(self, 0));
}

static zonda_dataset *build_map_shard(step *self) {
    return zonda_map_shard(self->input, arg_function(self, 0));
}

static zonda_dataset *build_filter(step *self) {
    return zonda_filter(self->input, arg_function(self, 0));
}

/* The fields that are given, then NULL. */
static void take_fields(step *self, const char *fields[FIELDS_MAX]) {
    uint32_t count = chain_arg_count(self);
    if (count >= FIELDS_MAX) {
        chain_give_up("at most %d fields", FIELDS_MAX - 1);
    }
    for (uint32_t i = 0; i < FIELDS_MAX; i++) {
        fields[i] = i < count ? chain_arg_text(self, i) : NULL;
    }
}

static zonda_dataset *build_select(step *self) {
    const char *f[FIELDS_MAX];
    take_fields(self, f);
    return zonda_select(self->input, f[0], f[1], f[2], f[3], f[4], f[5], f[6], NULL);
}

static zonda_dataset *build_drop(step *self) {
    const char *f[FIELDS_MAX];
    take_fields(self, f);
    return zonda_drop(self->input, f[0], f[1], f[2], f[3], f[4], f[5], f[6], NULL);
}

/* The argument is a map {new: old}. */
static zonda_dataset *build_rename(step *self) {
    const char *f[FIELDS_MAX] = { NULL };
    zn_bytes pairs = chain_arg(self, 0);
    zn_cursor cursor = zn_cursor_of(pairs);
    uint32_t count = zn_cursor_read(&cursor).count;
    if (2 * count >= FIELDS_MAX) {
        chain_give_up("at most %d names", FIELDS_MAX / 2 - 1);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        f[i] = chain_keep_text(self, zn_cursor_skip(&cursor));
    }
    return zonda_rename(self->input, f[0], f[1], f[2], f[3], f[4], f[5], f[6], NULL);
}

static zonda_dataset *build_limit(step *self) {
    return zonda_limit(self->input, chain_arg_uint(self, 0));
}

static zonda_dataset *build_take_per_shard(step *self) {
    return zonda_take_per_shard(self->input, chain_arg_uint(self, 0));
}

static zonda_dataset *build_window(step *self) {
    return zonda_window(self->input, chain_arg_uint(self, 0));
}

static zonda_dataset *build_window_by(step *self) {
    zn_bytes init = { 0 };
    if (chain_arg_count(self) > 1) {
        init = chain_arg(self, 1);
    }
    return zonda_window_by(self->input, arg_function(self, 0), init.data, init.len);
}

static double to_double(zn_bytes value) {
    zn_value head = zn_value_head(value);
    return head.type == ZN_VALUE_DOUBLE ? head.number : (double)head.integer;
}

static zonda_dataset *build_sample(step *self) {
    uint64_t seed =
        chain_arg_count(self) > 1 ? chain_arg_uint(self, 1) : chain_option_uint(self, "seed");
    return zonda_sample(self->input, to_double(chain_arg(self, 0)), seed);
}

static void take_command(step *self, const char *words[COMMAND_MAX]) {
    zn_bytes list = chain_arg(self, 0);
    zn_cursor cursor = zn_cursor_of(list);
    uint32_t count = zn_cursor_read(&cursor).count;
    if (count >= COMMAND_MAX) {
        chain_give_up("at most %d words", COMMAND_MAX - 1);
    }
    for (uint32_t i = 0; i < COMMAND_MAX; i++) {
        words[i] = i < count ? chain_keep_text(self, zn_cursor_skip(&cursor)) : NULL;
    }
}

static zonda_dataset *build_exec(step *self) {
    const char *words[COMMAND_MAX];
    take_command(self, words);
    zonda_exec_options options = { .format = chain_option_text(self, "format"),
                                   .shell = chain_option_bool(self, "shell") };
    return zonda_exec(self->input, words, &options);
}

static zonda_dataset *build_each(step *self) {
    const char *words[COMMAND_MAX];
    take_command(self, words);
    zonda_each_options options = { .shell = chain_option_bool(self, "shell"),
                                   .limit = chain_option_uint(self, "limit") };
    zn_bytes status;
    options.check_status = chain_take_option(self, "ok_status", &status);
    options.ok_status = options.check_status ? (int)to_uint(self, status) : 0;
    return zonda_each(self->input, words, &options);
}

zonda_dataset *chain_arg_dataset(step *self, uint32_t index) {
    zn_bytes steps;
    if (!zn_value_field(chain_arg(self, index), zn_bytes_of_text("steps"), &steps)) {
        chain_give_up("%.*s: a dataset is expected", (int)self->op.len,
                      (const char *)self->op.data);
    }
    return chain_build(steps);
}

/* Several others, one after the other, are the same dataset. */
static zonda_dataset *build_union(step *self) {
    zonda_dataset *all = self->input;
    for (uint32_t i = 0; i < chain_arg_count(self); i++) {
        all = zonda_union(all, chain_arg_dataset(self, i));
    }
    return all;
}

static zonda_dataset *build_count(step *self) {
    return zonda_count(self->input);
}

static zonda_dataset *build_reduce(step *self) {
    zonda_reduce_options options = { 0 };
    if (chain_arg_count(self) > 1) {
        options.global = arg_function(self, 1);
    }
    zn_bytes identity;
    if (chain_take_option(self, "identity", &identity)) {
        options.identity = identity.data;
        options.identity_bytes = identity.len;
    }
    return zonda_reduce(self->input, arg_function(self, 0), &options);
}

static zonda_write_options write_options(step *self) {
    return (zonda_write_options){ .level = (int)chain_option_uint(self, "level"),
                                  .skip_existing = chain_option_bool(self, "skip_existing") };
}

static zonda_dataset *build_write(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_jsonl(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_jsonl(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_text(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_text(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_msgpack(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_msgpack(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_csv(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_csv(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_tsv(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_tsv(self->input, chain_arg_text(self, 0), &options);
}

static zonda_dataset *build_write_binary(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_binary(self->input, chain_arg_text(self, 0), &options);
}

static const struct {
    const char *op;
    build_step *build;
} builders[] = {
    { "from_list", build_from_list },
    { "from_json", build_from_json },
    { "from_range", build_from_range },
    { "from_files", build_from_files },
    { "read", build_read },
    { "map", build_map },
    { "flat_map", build_flat_map },
    { "map_shard", build_map_shard },
    { "filter", build_filter },
    { "select", build_select },
    { "count", build_count },
    { "reduce", build_reduce },
    { "write", build_write },
    { "write_jsonl", build_write_jsonl },
    { "write_text", build_write_text },
    { "window_by", build_window_by },
    { "union", build_union },
    { "exec", build_exec },
    { "each", build_each },
    { "drop", build_drop },
    { "rename", build_rename },
    { "take_per_shard", build_take_per_shard },
    { "limit", build_limit },
    { "window", build_window },
    { "sample", build_sample },
    { "write_msgpack", build_write_msgpack },
    { "write_csv", build_write_csv },
    { "write_tsv", build_write_tsv },
    { "write_binary", build_write_binary },
};

static build_step *find_builder(zn_bytes op) {
    for (size_t i = 0; i < sizeof builders / sizeof builders[0]; i++) {
        if (zn_bytes_equal(op, zn_bytes_of_text(builders[i].op))) {
            return builders[i].build;
        }
    }
    build_step *wide = chain_find_wide(op);
    if (wide != NULL) {
        return wide;
    }
    chain_give_up("no public function for %.*s", (int)op.len, (const char *)op.data);
}

static zonda_dataset *build_one(zn_bytes description, zonda_dataset *input) {
    step self = { .input = input };
    if (!zn_value_field_text(description, "op", &self.op) ||
        !zn_value_field(description, zn_bytes_of_text("args"), &self.args) ||
        !zn_value_field(description, zn_bytes_of_text("options"), &self.options)) {
        chain_give_up("a step has no op, args or options");
    }
    zonda_dataset *built = find_builder(self.op)(&self);
    if (self.options_taken != zn_value_head(self.options).count) {
        chain_give_up("%.*s: C has no such option", (int)self.op.len, (const char *)self.op.data);
    }
    for (size_t i = 0; i < self.text_count; i++) {
        free(self.texts[i]);
    }
    return built;
}

zonda_dataset *chain_build(zn_bytes steps) {
    zn_cursor cursor = zn_cursor_of(steps);
    uint32_t count = zn_cursor_read(&cursor).count;
    zonda_dataset *dataset = NULL;
    for (uint32_t i = 0; i < count; i++) {
        dataset = build_one(zn_cursor_skip(&cursor), dataset);
    }
    return dataset;
}
