/* SPDX-License-Identifier: MPL-2.0 */
/* The one place where arguments of operators are written as MessagePack from C values. Whether an
 * operator has such an argument is the operator table's business; here only the values themselves
 * are checked, because a NULL or a broken value could not be written at all. */
#include "plan/arguments.h"

#include "ops/plugin.h"
#include "plan/dataset.h"
#include "plan/plugin_file.h"
#include "record/value.h"
#include "wire/text.h"

static void begin(zn_arguments *args, const char *name) {
    zn_put_text(&args->pairs, name);
    args->count++;
}

static void fail(zn_arguments *args, const char *name, const char *problem) {
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_INVALID, "argument %s %s", name, problem);
    zn_arguments_fail(args, &error);
}

void zn_arguments_fail(zn_arguments *args, const zonda_error *error) {
    if (args->error.code == ZONDA_OK) {
        args->error = *error;
    }
}

void zn_arguments_uint(zn_arguments *args, const char *name, uint64_t value) {
    begin(args, name);
    zn_put_uint(&args->pairs, value);
}

void zn_arguments_double(zn_arguments *args, const char *name, double value) {
    begin(args, name);
    zn_put_double(&args->pairs, value);
}

void zn_arguments_bool(zn_arguments *args, const char *name, bool value) {
    begin(args, name);
    zn_put_bool(&args->pairs, value);
}

void zn_arguments_text(zn_arguments *args, const char *name, const char *text) {
    if (text == NULL) {
        fail(args, name, "is NULL");
    } else if (!zn_text_is_valid(zn_bytes_of_text(text))) {
        fail(args, name, "is not UTF-8");
    } else {
        begin(args, name);
        zn_put_text(&args->pairs, text);
    }
}

void zn_arguments_words(zn_arguments *args, const char *name, const char *const *words) {
    uint32_t count = 0;
    for (; words != NULL && words[count] != NULL; count++) {
        if (!zn_text_is_valid(zn_bytes_of_text(words[count]))) {
            fail(args, name, "is not UTF-8");
            return;
        }
    }
    if (words == NULL) {
        fail(args, name, "is NULL");
        return;
    }
    begin(args, name);
    zn_put_array(&args->pairs, count);
    for (uint32_t i = 0; i < count; i++) {
        zn_put_text(&args->pairs, words[i]);
    }
}

void zn_arguments_value(zn_arguments *args, const char *name, zn_bytes value) {
    zonda_error error = { 0 };
    if (zn_value_check(value, &error) != ZONDA_OK) {
        zn_error_prefix(&error, "argument %s: ", name);
        zn_arguments_fail(args, &error);
        return;
    }
    begin(args, name);
    zn_buf_append(&args->pairs, value.data, value.len);
}

void zn_arguments_copy(zn_arguments *args, const char *name, zn_bytes from, const char *key) {
    zn_bytes value;
    if (zn_value_field(from, zn_bytes_of_text(key), &value)) {
        begin(args, name);
        zn_buf_append(&args->pairs, value.data, value.len);
    }
}

static void put_kind(zn_arguments *args, const char *kind, const char *key, const char *text) {
    zn_put_map(&args->pairs, 2);
    zn_put_text(&args->pairs, "kind");
    zn_put_text(&args->pairs, kind);
    zn_put_text(&args->pairs, key);
    zn_put_text(&args->pairs, text);
}

static void put_plugin_function(zn_arguments *args, const char *name, zonda_func function) {
    const zonda_plugin *plugin = function.plugin;
    if (plugin == NULL) {
        fail(args, name, "has a function of a plug-in that is NULL");
    } else if (function.text[0] == '\0') {
        fail(args, name, "has a function without a name");
    } else if (args->plugin_count == ZN_ARGUMENTS_PLUGINS_MAX) {
        fail(args, name, "has too many functions of plug-ins before it");
    } else {
        begin(args, name);
        zn_plugin_put_function(&args->pairs, plugin->digest, zn_bytes_of_text(plugin->file),
                               zn_bytes_of_text(function.text));
        args->plugins[args->plugin_count++] = plugin;
    }
}

void zn_arguments_function(zn_arguments *args, const char *name, zonda_func function) {
    if (function.kind == ZONDA_FUNC_NONE) {
        fail(args, name, "has no function");
        return;
    }
    if (function.text == NULL || !zn_text_is_valid(zn_bytes_of_text(function.text))) {
        fail(args, name, "has a function whose text is NULL or not UTF-8");
        return;
    }
    switch (function.kind) {
    case ZONDA_FUNC_NONE:
        break;
    case ZONDA_FUNC_C:
        begin(args, name);
        put_kind(args, "c", "name", function.text);
        return;
    case ZONDA_FUNC_LUA_EXPRESSION:
        begin(args, name);
        put_kind(args, "lua-expression", "text", function.text);
        return;
    case ZONDA_FUNC_LUA_BLOCK:
        begin(args, name);
        put_kind(args, "lua-block", "text", function.text);
        return;
    case ZONDA_FUNC_PLUGIN:
        put_plugin_function(args, name, function);
        return;
    }
    fail(args, name, "has a function of an unknown kind");
}

static void put_fields(zn_arguments *args, const char *name, zonda_key key) {
    for (size_t i = 0; i < key.count; i++) {
        if (key.fields[i] == NULL || !zn_text_is_valid(zn_bytes_of_text(key.fields[i]))) {
            fail(args, name, "has a field that is NULL or not UTF-8");
            return;
        }
    }
    if (key.count > UINT32_MAX) {
        fail(args, name, "has too many fields");
        return;
    }
    begin(args, name);
    zn_put_array(&args->pairs, (uint32_t)key.count);
    for (size_t i = 0; i < key.count; i++) {
        zn_put_text(&args->pairs, key.fields[i]);
    }
}

void zn_arguments_key(zn_arguments *args, const char *name, zonda_key key) {
    if (key.fields != NULL) {
        put_fields(args, name, key);
    } else if (key.function.kind != ZONDA_FUNC_NONE) {
        zn_arguments_function(args, name, key.function);
    } else {
        zn_arguments_text(args, name, key.field);
    }
}

void zn_arguments_key_if_given(zn_arguments *args, const char *name, zonda_key key) {
    if (key.field != NULL || key.fields != NULL || key.function.kind != ZONDA_FUNC_NONE) {
        zn_arguments_key(args, name, key);
    }
}

zonda_err zn_arguments_finish(zn_arguments *args, zn_buf *out, zonda_error *error) {
    zonda_err err = args->error.code;
    if (err == ZONDA_OK) {
        zn_put_map(out, args->count);
        zn_buf_append(out, args->pairs.data, args->pairs.len);
    } else {
        *error = args->error;
    }
    zn_buf_free(&args->pairs);
    return err;
}

static const zonda_error *find_problem(zonda_dataset *const *inputs, size_t input_count,
                                       const zonda_error *of_arguments) {
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i] != NULL && inputs[i]->error.code != ZONDA_OK) {
            return &inputs[i]->error;
        }
    }
    return of_arguments;
}

zonda_dataset *zn_arguments_apply(zn_arguments *args, const char *op, zonda_dataset **inputs,
                                  size_t input_count) {
    zn_buf map = { 0 };
    zonda_error error = { 0 };
    zonda_dataset *made = NULL;
    if (zn_arguments_finish(args, &map, &error) == ZONDA_OK) {
        made = zn_dataset_apply(op, zn_buf_bytes(&map), inputs, input_count);
        zn_dataset_attach_plugins(made, args->plugins, args->plugin_count);
    } else {
        made = zn_dataset_failed(find_problem(inputs, input_count, &error));
        for (size_t i = 0; i < input_count; i++) {
            zonda_dataset_destroy(&inputs[i]);
        }
    }
    zn_buf_free(&map);
    return made;
}
