/* SPDX-License-Identifier: MPL-2.0 */
/* One small function per operator turns its arguments and options into a call of the public
 * function of the same name, so every public function that builds datasets is called here. Options
 * are counted as they are taken; one that nobody took ends the process, so that no case can seem to
 * pass because its option was not looked at. */
#include "chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/value.h"

enum {
    TEXTS_MAX = 64,
    FIELDS_MAX = 8,
    COMMAND_MAX = 8
};

/* One operator while it is built; texts live until the public function has returned. */
typedef struct step {
    zn_bytes op;
    zn_bytes args;
    zn_bytes options;
    uint32_t options_taken;
    zonda_dataset *input;
    char *texts[TEXTS_MAX];
    size_t text_count;
} step;

typedef zonda_dataset *build_step(step *self);

void chain_give_up(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("conformance_runner: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(70);
}

static char *keep_text(step *self, zn_bytes value) {
    zn_value head = zn_value_head(value);
    if (head.type != ZN_VALUE_STRING || self->text_count == TEXTS_MAX) {
        chain_give_up("%.*s: a text is expected", (int)self->op.len, (const char *)self->op.data);
    }
    char *text = zn_strndup((const char *)head.bytes.data, head.bytes.len);
    self->texts[self->text_count++] = text;
    return text;
}

static uint32_t arg_count(const step *self) {
    return zn_value_head(self->args).count;
}

static zn_bytes arg(const step *self, uint32_t index) {
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

static const char *arg_text(step *self, uint32_t index) {
    return keep_text(self, arg(self, index));
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

static uint64_t arg_uint(step *self, uint32_t index) {
    return to_uint(self, arg(self, index));
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

static zonda_func to_function(step *self, zn_bytes value) {
    zn_bytes kind;
    zn_bytes text;
    if (!zn_value_field_text(value, "function", &kind) ||
        !zn_value_field(value, zn_bytes_of_text("text"), &text)) {
        chain_give_up("%.*s: a function is expected", (int)self->op.len,
                      (const char *)self->op.data);
    }
    const char *kept = keep_text(self, text);
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
    return to_function(self, arg(self, index));
}

static bool take_option(step *self, const char *name, zn_bytes *value) {
    if (!zn_value_field(self->options, zn_bytes_of_text(name), value)) {
        return false;
    }
    self->options_taken++;
    return true;
}

static const char *option_text(step *self, const char *name) {
    zn_bytes value;
    return take_option(self, name, &value) ? keep_text(self, value) : NULL;
}

static uint64_t option_uint(step *self, const char *name) {
    zn_bytes value;
    return take_option(self, name, &value) ? to_uint(self, value) : 0;
}

static bool option_bool(step *self, const char *name) {
    zn_bytes value;
    return take_option(self, name, &value) && zn_value_head(value).boolean;
}

static zonda_dataset *build_from_list(step *self) {
    zn_bytes list = arg(self, 0);
    zn_cursor cursor = zn_cursor_of(list);
    zn_cursor_read(&cursor);
    return zonda_from_list(cursor.at, (size_t)(cursor.end - cursor.at));
}

static zonda_dataset *build_from_json(step *self) {
    return zonda_from_json(arg_text(self, 0));
}

static zonda_dataset *build_from_range(step *self) {
    zonda_range_options options = { .shards = option_uint(self, "shards") };
    return zonda_from_range(arg_uint(self, 0), &options);
}

static zonda_dataset *build_from_files(step *self) {
    zonda_files_options options = { .empty_ok = option_bool(self, "empty_ok") };
    return zonda_from_files(arg_text(self, 0), &options);
}

/* The option is a flag, or the name of the field. */
static void take_include_paths(step *self, zonda_read_options *options) {
    zn_bytes value;
    if (!take_option(self, "include_paths", &value)) {
        return;
    }
    if (zn_value_head(value).type == ZN_VALUE_BOOL) {
        options->include_paths = zn_value_head(value).boolean;
    } else {
        options->path_field = keep_text(self, value);
    }
}

static zonda_dataset *build_read(step *self) {
    zonda_read_options options = { .format = option_text(self, "format"),
                                   .empty_ok = option_bool(self, "empty_ok"),
                                   .split_bytes = option_uint(self, "split_bytes"),
                                   .on_bad_record = option_text(self, "on_bad_record"),
                                   .bad_records = option_text(self, "bad_records"),
                                   .record_bytes_max = option_uint(self, "record_bytes_max") };
    take_include_paths(self, &options);
    return zonda_read(arg_text(self, 0), &options);
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
    uint32_t count = arg_count(self);
    if (count >= FIELDS_MAX) {
        chain_give_up("at most %d fields", FIELDS_MAX - 1);
    }
    for (uint32_t i = 0; i < FIELDS_MAX; i++) {
        fields[i] = i < count ? arg_text(self, i) : NULL;
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
    zn_bytes pairs = arg(self, 0);
    zn_cursor cursor = zn_cursor_of(pairs);
    uint32_t count = zn_cursor_read(&cursor).count;
    if (2 * count >= FIELDS_MAX) {
        chain_give_up("at most %d names", FIELDS_MAX / 2 - 1);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        f[i] = keep_text(self, zn_cursor_skip(&cursor));
    }
    return zonda_rename(self->input, f[0], f[1], f[2], f[3], f[4], f[5], f[6], NULL);
}

static zonda_dataset *build_limit(step *self) {
    return zonda_limit(self->input, arg_uint(self, 0));
}

static zonda_dataset *build_take_per_shard(step *self) {
    return zonda_take_per_shard(self->input, arg_uint(self, 0));
}

static zonda_dataset *build_window(step *self) {
    return zonda_window(self->input, arg_uint(self, 0));
}

static zonda_dataset *build_window_by(step *self) {
    zn_bytes init = { 0 };
    if (arg_count(self) > 1) {
        init = arg(self, 1);
    }
    return zonda_window_by(self->input, arg_function(self, 0), init.data, init.len);
}

static double to_double(zn_bytes value) {
    zn_value head = zn_value_head(value);
    return head.type == ZN_VALUE_DOUBLE ? head.number : (double)head.integer;
}

static zonda_dataset *build_sample(step *self) {
    uint64_t seed = arg_count(self) > 1 ? arg_uint(self, 1) : option_uint(self, "seed");
    return zonda_sample(self->input, to_double(arg(self, 0)), seed);
}

static void take_command(step *self, const char *words[COMMAND_MAX]) {
    zn_bytes list = arg(self, 0);
    zn_cursor cursor = zn_cursor_of(list);
    uint32_t count = zn_cursor_read(&cursor).count;
    if (count >= COMMAND_MAX) {
        chain_give_up("at most %d words", COMMAND_MAX - 1);
    }
    for (uint32_t i = 0; i < COMMAND_MAX; i++) {
        words[i] = i < count ? keep_text(self, zn_cursor_skip(&cursor)) : NULL;
    }
}

static zonda_dataset *build_exec(step *self) {
    const char *words[COMMAND_MAX];
    take_command(self, words);
    zonda_exec_options options = { .format = option_text(self, "format"),
                                   .shell = option_bool(self, "shell") };
    return zonda_exec(self->input, words, &options);
}

static zonda_dataset *build_each(step *self) {
    const char *words[COMMAND_MAX];
    take_command(self, words);
    zonda_each_options options = { .shell = option_bool(self, "shell"),
                                   .limit = option_uint(self, "limit") };
    zn_bytes status;
    options.check_status = take_option(self, "ok_status", &status);
    options.ok_status = options.check_status ? (int)to_uint(self, status) : 0;
    return zonda_each(self->input, words, &options);
}

/* Several others, one after the other, are the same dataset. */
static zonda_dataset *build_union(step *self) {
    zonda_dataset *all = self->input;
    for (uint32_t i = 0; i < arg_count(self); i++) {
        zn_bytes steps;
        if (!zn_value_field(arg(self, i), zn_bytes_of_text("steps"), &steps)) {
            chain_give_up("union: a dataset is expected");
        }
        all = zonda_union(all, chain_build(steps));
    }
    return all;
}

static zonda_dataset *build_count(step *self) {
    return zonda_count(self->input);
}

static zonda_dataset *build_reduce(step *self) {
    zonda_reduce_options options = { 0 };
    if (arg_count(self) > 1) {
        options.global = arg_function(self, 1);
    }
    zn_bytes identity;
    if (take_option(self, "identity", &identity)) {
        options.identity = identity.data;
        options.identity_bytes = identity.len;
    }
    return zonda_reduce(self->input, arg_function(self, 0), &options);
}

static zonda_write_options write_options(step *self) {
    return (zonda_write_options){ .level = (int)option_uint(self, "level"),
                                  .skip_existing = option_bool(self, "skip_existing") };
}

static zonda_dataset *build_write(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_jsonl(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_jsonl(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_text(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_text(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_msgpack(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_msgpack(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_csv(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_csv(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_tsv(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_tsv(self->input, arg_text(self, 0), &options);
}

static zonda_dataset *build_write_binary(step *self) {
    zonda_write_options options = write_options(self);
    return zonda_write_binary(self->input, arg_text(self, 0), &options);
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
