/* SPDX-License-Identifier: MPL-2.0 */
/* The public functions that build datasets. Each only writes a map of arguments and leaves the
 * rest to zn_dataset_apply; what cannot be written as arguments (a NULL text, bytes that are not
 * MessagePack) becomes a dataset that is only an error. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "plan/arguments.h"
#include "plan/dataset.h"
#include "plan/plan.h"
#include "record/json.h"
#include "record/value.h"
#include "wire/shape.h"
#include "wire/text.h"

static zonda_dataset *apply(const char *op, zn_arguments *args, zonda_dataset **input) {
    return zn_arguments_apply(args, op, input, input == NULL ? 0 : 1);
}

/* Splits concatenated values, checks each and appends them as one array. */
static zonda_err put_items(zn_buf *out, zn_bytes items, zonda_error *error) {
    uint64_t count = 0;
    zn_buf values = { 0 };
    zonda_err err = ZONDA_OK;
    while (err == ZONDA_OK && items.len > 0) {
        size_t used = 0;
        err = zn_shape_check(items, ZN_RECORD_DEPTH_MAX, &used, error);
        if (err == ZONDA_OK) {
            err = zn_value_check((zn_bytes){ .data = items.data, .len = used }, error);
        }
        if (err != ZONDA_OK) {
            zn_error_prefix(error, "item %llu of from_list: ", (unsigned long long)count);
            break;
        }
        zn_buf_append(&values, items.data, used);
        items.data += used;
        items.len -= used;
        count++;
    }
    if (err == ZONDA_OK && count > ZN_STAGE_TASKS_MAX) {
        err = zn_error_set(error, ZONDA_ERR_LIMIT,
                           "from_list has %llu items, at most %u are possible",
                           (unsigned long long)count, (unsigned)ZN_STAGE_TASKS_MAX);
    }
    if (err == ZONDA_OK) {
        zn_put_array(out, (uint32_t)count);
        zn_buf_append(out, values.data, values.len);
    }
    zn_buf_free(&values);
    return err;
}

zonda_dataset *zonda_from_list(const void *items, size_t bytes) {
    zn_arguments args = { 0 };
    zn_buf array = { 0 };
    zonda_error error = { 0 };
    zn_bytes values = { .data = items, .len = bytes };
    if (items == NULL && bytes > 0) {
        zn_error_set(&error, ZONDA_ERR_INVALID, "from_list got NULL for its items");
        zn_arguments_fail(&args, &error);
    } else if (put_items(&array, values, &error) != ZONDA_OK) {
        zn_arguments_fail(&args, &error);
    } else {
        zn_arguments_value(&args, "items", zn_buf_bytes(&array));
    }
    zn_buf_free(&array);
    return apply("from_list", &args, NULL);
}

/* Reads the text of a JSON array as one MessagePack array. */
static zonda_err read_json_array(const char *text, zn_buf *out, zonda_error *error) {
    if (text == NULL) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "from_json got NULL for its text");
    }
    zn_json_reader *reader = zn_json_reader_new();
    zonda_err err = zn_json_read(reader, zn_bytes_of_text(text), out, error);
    zn_json_reader_destroy(&reader);
    if (err == ZONDA_OK) {
        zn_value_type type = zn_value_head(zn_buf_bytes(out)).type;
        if (type != ZN_VALUE_ARRAY) {
            err = zn_error_set(error, ZONDA_ERR_INVALID, "from_json wants a JSON array, not a %s",
                               zn_value_type_name(type));
        }
    }
    return err;
}

zonda_dataset *zonda_from_json(const char *json_array) {
    zn_arguments args = { 0 };
    zn_buf array = { 0 };
    zonda_error error = { 0 };
    if (read_json_array(json_array, &array, &error) == ZONDA_OK) {
        zn_arguments_value(&args, "items", zn_buf_bytes(&array));
    } else {
        zn_arguments_fail(&args, &error);
    }
    zn_buf_free(&array);
    return apply("from_list", &args, NULL);
}

zonda_dataset *zonda_from_range(uint64_t n, const zonda_range_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_uint(&args, "n", n);
    if (options != NULL && options->shards > 0) {
        zn_arguments_uint(&args, "shards", options->shards);
    }
    return apply("from_range", &args, NULL);
}

zonda_dataset *zonda_from_files(const char *glob, const zonda_files_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_text(&args, "glob", glob);
    if (options != NULL && options->empty_ok) {
        zn_arguments_bool(&args, "empty_ok", true);
    }
    return apply("from_files", &args, NULL);
}

static void put_read_options(zn_arguments *args, const zonda_read_options *options) {
    if (options->format != NULL) {
        zn_arguments_text(args, "format", options->format);
    }
    if (options->empty_ok) {
        zn_arguments_bool(args, "empty_ok", true);
    }
    if (options->path_field != NULL) {
        zn_arguments_text(args, "include_paths", options->path_field);
    } else if (options->include_paths) {
        zn_arguments_bool(args, "include_paths", true);
    }
    if (options->split_bytes > 0) {
        zn_arguments_uint(args, "split_bytes", options->split_bytes);
    }
    if (options->on_bad_record != NULL) {
        zn_arguments_text(args, "on_bad_record", options->on_bad_record);
    }
    if (options->bad_records != NULL) {
        zn_arguments_text(args, "bad_records", options->bad_records);
    }
    if (options->record_bytes_max > 0) {
        zn_arguments_uint(args, "record_bytes_max", options->record_bytes_max);
    }
}

zonda_dataset *zonda_read(const char *glob, const zonda_read_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_text(&args, "glob", glob);
    if (options != NULL) {
        put_read_options(&args, options);
    }
    return apply("read", &args, NULL);
}

static zonda_dataset *apply_function(const char *op, zonda_dataset *dataset, zonda_func function) {
    zn_arguments args = { 0 };
    zn_arguments_function(&args, "function", function);
    return apply(op, &args, &dataset);
}

zonda_dataset *zonda_map(zonda_dataset *dataset, zonda_func function) {
    return apply_function("map", dataset, function);
}

zonda_dataset *zonda_flat_map(zonda_dataset *dataset, zonda_func function) {
    return apply_function("flat_map", dataset, function);
}

zonda_dataset *zonda_filter(zonda_dataset *dataset, zonda_func function) {
    return apply_function("filter", dataset, function);
}

/* Texts up to a NULL. Returns how many there were; what is not UTF-8 is kept as the problem. */
static uint32_t put_texts(zn_buf *out, const char *op, va_list texts, zn_arguments *args) {
    uint32_t count = 0;
    for (const char *text = va_arg(texts, const char *); text != NULL;
         text = va_arg(texts, const char *)) {
        if (!zn_text_is_valid(zn_bytes_of_text(text))) {
            zonda_error error;
            zn_error_set(&error, ZONDA_ERR_INVALID, "field %u of %s is not UTF-8", count + 1, op);
            zn_arguments_fail(args, &error);
        }
        zn_put_text(out, text);
        count++;
    }
    return count;
}

static zonda_dataset *apply_fields(const char *op, zonda_dataset *dataset, va_list names) {
    zn_arguments args = { 0 };
    zn_buf fields = { 0 };
    zn_buf array = { 0 };
    zn_put_array(&array, put_texts(&fields, op, names, &args));
    zn_buf_append(&array, fields.data, fields.len);
    zn_arguments_value(&args, "fields", zn_buf_bytes(&array));
    zn_buf_free(&array);
    zn_buf_free(&fields);
    return apply(op, &args, &dataset);
}

zonda_dataset *zonda_select(zonda_dataset *dataset, ...) {
    va_list names;
    va_start(names, dataset);
    zonda_dataset *made = apply_fields("select", dataset, names);
    va_end(names);
    return made;
}

zonda_dataset *zonda_drop(zonda_dataset *dataset, ...) {
    va_list names;
    va_start(names, dataset);
    zonda_dataset *made = apply_fields("drop", dataset, names);
    va_end(names);
    return made;
}

zonda_dataset *zonda_rename(zonda_dataset *dataset, ...) {
    zn_arguments args = { 0 };
    zn_buf texts = { 0 };
    zn_buf map = { 0 };
    va_list names;
    va_start(names, dataset);
    uint32_t count = put_texts(&texts, "rename", names, &args);
    va_end(names);
    if (count % 2 != 0) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_INVALID, "rename needs pairs of names, not %u names", count);
        zn_arguments_fail(&args, &error);
    } else {
        zn_put_map(&map, count / 2);
        zn_buf_append(&map, texts.data, texts.len);
        zn_arguments_value(&args, "fields", zn_buf_bytes(&map));
    }
    zn_buf_free(&map);
    zn_buf_free(&texts);
    return apply("rename", &args, &dataset);
}

static zonda_dataset *apply_number(const char *op, zonda_dataset *dataset, uint64_t n) {
    zn_arguments args = { 0 };
    zn_arguments_uint(&args, "n", n);
    return apply(op, &args, &dataset);
}

zonda_dataset *zonda_take_per_shard(zonda_dataset *dataset, uint64_t n) {
    return apply_number("take_per_shard", dataset, n);
}

zonda_dataset *zonda_limit(zonda_dataset *dataset, uint64_t n) {
    return apply_number("limit", dataset, n);
}

zonda_dataset *zonda_window(zonda_dataset *dataset, uint64_t n) {
    return apply_number("window", dataset, n);
}

zonda_dataset *zonda_sample(zonda_dataset *dataset, double p, uint64_t seed) {
    zn_arguments args = { 0 };
    zn_arguments_double(&args, "p", p);
    zn_arguments_uint(&args, "seed", seed);
    return apply("sample", &args, &dataset);
}

zonda_dataset *zonda_exec(zonda_dataset *dataset, const char *const *command,
                          const zonda_exec_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_words(&args, "cmd", command);
    if (options != NULL && options->format != NULL) {
        zn_arguments_text(&args, "format", options->format);
    }
    if (options != NULL && options->shell) {
        zn_arguments_bool(&args, "shell", true);
    }
    return apply("exec", &args, &dataset);
}

zonda_dataset *zonda_each(zonda_dataset *dataset, const char *const *command,
                          const zonda_each_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_words(&args, "cmd", command);
    if (options != NULL && options->shell) {
        zn_arguments_bool(&args, "shell", true);
    }
    if (options != NULL && options->check_status && options->ok_status < 0) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_INVALID, "each got %d for its ok_status",
                     options->ok_status);
        zn_arguments_fail(&args, &error);
    } else if (options != NULL && options->check_status) {
        zn_arguments_uint(&args, "ok_status", (uint64_t)options->ok_status);
    }
    if (options != NULL && options->limit > 0) {
        zn_arguments_uint(&args, "limit", options->limit);
    }
    return apply("each", &args, &dataset);
}

zonda_dataset *zonda_window_by(zonda_dataset *dataset, zonda_func function, const void *init,
                               size_t init_bytes) {
    zn_arguments args = { 0 };
    zn_arguments_function(&args, "function", function);
    if (init != NULL) {
        zn_arguments_value(&args, "init", (zn_bytes){ .data = init, .len = init_bytes });
    }
    return apply("window_by", &args, &dataset);
}

zonda_dataset *zonda_map_shard(zonda_dataset *dataset, zonda_func function) {
    return apply_function("map_shard", dataset, function);
}

zonda_dataset *zonda_union(zonda_dataset *first, zonda_dataset *second) {
    static const uint8_t no_args[] = { 0x80 };
    zonda_dataset *inputs[] = { first, second };
    return zn_dataset_apply("union", (zn_bytes){ .data = no_args, .len = sizeof no_args }, inputs,
                            2);
}

zonda_dataset *zonda_count(zonda_dataset *dataset) {
    zn_arguments args = { 0 };
    return apply("count", &args, &dataset);
}

zonda_dataset *zonda_reduce(zonda_dataset *dataset, zonda_func local,
                            const zonda_reduce_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_function(&args, "local", local);
    if (options != NULL && options->global.kind != ZONDA_FUNC_NONE) {
        zn_arguments_function(&args, "global", options->global);
    }
    if (options != NULL && options->identity != NULL) {
        zn_bytes identity = { .data = options->identity, .len = options->identity_bytes };
        zn_arguments_value(&args, "identity", identity);
    }
    return apply("reduce", &args, &dataset);
}

static zonda_dataset *apply_write(const char *op, zonda_dataset *dataset, const char *pattern,
                                  const zonda_write_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_text(&args, "pattern", pattern);
    if (options != NULL && options->level < 0) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_INVALID, "%s got %d for its level", op, options->level);
        zn_arguments_fail(&args, &error);
    } else if (options != NULL && options->level > 0) {
        zn_arguments_uint(&args, "level", (uint64_t)options->level);
    }
    if (options != NULL && options->skip_existing) {
        zn_arguments_bool(&args, "skip_existing", true);
    }
    return apply(op, &args, &dataset);
}

zonda_dataset *zonda_write(zonda_dataset *dataset, const char *pattern,
                           const zonda_write_options *options) {
    return apply_write("write", dataset, pattern, options);
}

zonda_dataset *zonda_write_jsonl(zonda_dataset *dataset, const char *pattern,
                                 const zonda_write_options *options) {
    return apply_write("write_jsonl", dataset, pattern, options);
}

zonda_dataset *zonda_write_text(zonda_dataset *dataset, const char *pattern,
                                const zonda_write_options *options) {
    return apply_write("write_text", dataset, pattern, options);
}

zonda_dataset *zonda_write_msgpack(zonda_dataset *dataset, const char *pattern,
                                   const zonda_write_options *options) {
    return apply_write("write_msgpack", dataset, pattern, options);
}

zonda_dataset *zonda_write_csv(zonda_dataset *dataset, const char *pattern,
                               const zonda_write_options *options) {
    return apply_write("write_csv", dataset, pattern, options);
}

zonda_dataset *zonda_write_tsv(zonda_dataset *dataset, const char *pattern,
                               const zonda_write_options *options) {
    return apply_write("write_tsv", dataset, pattern, options);
}

zonda_dataset *zonda_write_binary(zonda_dataset *dataset, const char *pattern,
                                  const zonda_write_options *options) {
    return apply_write("write_binary", dataset, pattern, options);
}

char *zonda_dataset_explain(const zonda_dataset *dataset, zonda_error *error) {
    zn_plan *plan = zn_plan_new(dataset, NULL, 0, &zn_plan_files_local, error);
    if (plan == NULL) {
        return NULL;
    }
    zn_buf text = { 0 };
    zn_plan_print(plan, &text);
    zn_plan_destroy(&plan);
    zn_buf_append_byte(&text, 0);
    return (char *)text.data;
}
