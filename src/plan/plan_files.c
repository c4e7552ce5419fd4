/* SPDX-License-Identifier: MPL-2.0 */
/* Files of a plan. Everything that is known about them is looked up here, once, when the plan is
 * made: which there are, what format they have, where they are cut. So every task of every attempt
 * sees the same shards, and mistakes are heard of before anything runs. The look-ups are callbacks
 * (plan.h). An input is a path, or for a part of a file a map that ops/inputs.h describes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "ops/format.h"
#include "ops/reader.h"
#include "plan/plan_build.h"
#include "record/value.h"
#include "store/stream.h"

enum {
    HUGE_FILES_MAX = 4096, /* with more files there is work for every slot */
    HUGE_BYTES_MIN = 64 * ZN_MIB
};

const zn_plan_files zn_plan_files_local = {
    .glob = zn_glob,
    .size = zn_file_size,
    .cut_csv = zn_file_cut_csv,
    .info = zn_file_info_of,
    .folder = zn_file_current_folder,
};

/* The inputs of a source while they are collected. */
typedef struct input_list {
    zn_plan_build *build;
    zn_bytes format; /* given, or empty */
    uint64_t split_bytes;
    zn_buf items;
    uint64_t count;
    bool relative; /* it has paths that depend on the current folder */
} input_list;

/* The files of a pattern; none at all where that is allowed. */
static zonda_err find_paths(zn_plan_build *build, zn_bytes args, zn_paths *paths,
                            zonda_error *error) {
    zn_bytes text = { 0 };
    bool empty_ok = false;
    if (!zn_value_field_text(args, "glob", &text) ||
        (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the pattern of files is missing or has a NUL");
    }
    zn_value_field_bool(args, "empty_ok", &empty_ok);
    char *pattern = zn_strndup((const char *)text.data, text.len);
    zonda_error found = { 0 };
    zonda_err err = build->files->glob(pattern, paths, &found);
    free(pattern);
    if (err == ZONDA_ERR_NO_MATCH && empty_ok) {
        return ZONDA_OK;
    }
    if (err != ZONDA_OK) {
        *error = found;
    }
    return err;
}

/* A format that nobody knows is a mistake whatever files there are. */
static zonda_err check_given_format(zn_bytes args, zonda_error *error) {
    zn_bytes format = { 0 };
    const char *found = NULL;
    return zn_value_field_text(args, "format", &format)
               ? zn_read_format("a file", format, &found, error)
               : ZONDA_OK;
}

static zonda_err check_count(const input_list *list, uint64_t more, zonda_error *error) {
    if (more > ZN_STAGE_TASKS_MAX || list->count + more > ZN_STAGE_TASKS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the files that match are more than %u shards, which is the limit",
                            (unsigned)ZN_STAGE_TASKS_MAX);
    }
    if (list->items.len > ZN_BLOB_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "the list of shards is longer than %u bytes",
                            (unsigned)ZN_BLOB_BYTES_MAX);
    }
    return ZONDA_OK;
}

static void put_range(input_list *list, const char *path, zn_file_range range) {
    zn_put_map(&list->items, 4);
    zn_put_text(&list->items, "path");
    zn_put_text(&list->items, path);
    zn_put_text(&list->items, "offset");
    zn_put_uint(&list->items, range.offset);
    zn_put_text(&list->items, "length");
    zn_put_uint(&list->items, range.length);
    zn_put_text(&list->items, "aligned");
    zn_put_bool(&list->items, range.aligned);
    list->count++;
}

static void put_whole(input_list *list, const char *path) {
    zn_put_text(&list->items, path);
    list->count++;
}

/* Whether the file is cut, and its size if so. */
static zonda_err look_up_size(const input_list *list, const char *path,
                              const zn_reader_format *format, uint64_t *size, zonda_error *error) {
    *size = 0;
    if (list->split_bytes == 0 || !format->has_lines ||
        zn_compression_of(path, NULL) != ZN_COMPRESSION_NONE) {
        return ZONDA_OK;
    }
    return list->build->files->size(path, size, error);
}

/* Cuts at any byte: a reader finds the first record of its range. */
static zonda_err put_ranges(input_list *list, const char *path, uint64_t size, zonda_error *error) {
    for (uint64_t at = 0; at < size; at += list->split_bytes) {
        uint64_t left = size - at;
        zonda_err err = check_count(list, 1, error);
        if (err != ZONDA_OK) {
            return err;
        }
        put_range(list, path,
                  (zn_file_range){ .offset = at,
                                   .length = left < list->split_bytes ? left : list->split_bytes });
    }
    return ZONDA_OK;
}

/* A newline in quotes ends no record, and only the bytes before it tell whether it is in quotes. So
 * a CSV file is read once here, and every range begins with a record. */
static zonda_err put_csv_ranges(input_list *list, const char *path, char separator, uint64_t size,
                                zonda_error *error) {
    zn_file_cuts cuts = { 0 };
    zonda_err err = list->build->files->cut_csv(path, separator, list->split_bytes, &cuts, error);
    if (err == ZONDA_OK) {
        err = check_count(list, cuts.count + 1, error);
    }
    if (err == ZONDA_OK && cuts.count == 0) {
        put_whole(list, path);
    }
    uint64_t from = 0;
    for (size_t i = 0; cuts.count > 0 && i <= cuts.count && err == ZONDA_OK; i++) {
        uint64_t to = i < cuts.count ? cuts.items[i] : size;
        put_range(list, path,
                  (zn_file_range){
                      .offset = from, .length = to > from ? to - from : 1, .aligned = true });
        from = to;
    }
    zn_file_cuts_free(&cuts);
    return err;
}

static zonda_err put_file(input_list *list, const char *path, zonda_error *error) {
    const char *name = NULL;
    uint64_t size = 0;
    zonda_err err = zn_read_format(path, list->format, &name, error);
    const zn_reader_format *format = err == ZONDA_OK ? zn_reader_format_find(name) : NULL;
    if (err == ZONDA_OK && format == NULL) {
        err = zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "nothing reads the format %s", name);
    }
    if (err == ZONDA_OK) {
        err = look_up_size(list, path, format, &size, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    if (size <= list->split_bytes) {
        put_whole(list, path);
        return check_count(list, 0, error);
    }
    return format->separator != '\0' ? put_csv_ranges(list, path, format->separator, size, error)
                                     : put_ranges(list, path, size, error);
}

/* Says where one file will keep one slot busy when all others are done. */
static void hint_at_huge(const input_list *list, const zn_paths *paths) {
    uint64_t total = 0;
    uint64_t largest = 0;
    size_t which = 0;
    for (size_t i = 0; i < paths->count && paths->count <= HUGE_FILES_MAX; i++) {
        uint64_t size = 0;
        zonda_error ignored;
        if (list->build->files->size(paths->items[i], &size, &ignored) != ZONDA_OK) {
            return;
        }
        total += size;
        which = size > largest ? i : which;
        largest = size > largest ? size : largest;
    }
    const char *name = NULL;
    zonda_error ignored;
    if (largest < HUGE_BYTES_MIN || largest < total - largest ||
        zn_compression_of(paths->items[which], NULL) != ZN_COMPRESSION_NONE ||
        zn_read_format(paths->items[which], list->format, &name, &ignored) != ZONDA_OK) {
        return;
    }
    const zn_reader_format *format = zn_reader_format_find(name);
    if (format != NULL && format->has_lines) {
        zn_log(ZONDA_LOG_WARN, "one-huge-shard",
               "file=\"%s\" bytes=%" PRIu64 " others=%" PRIu64
               " hint=\"it is one shard, so one slot reads it; split_bytes cuts it\"",
               paths->items[which], largest, total - largest);
    }
}

static zonda_err put_files(input_list *list, const zn_paths *paths, bool reads,
                           zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < paths->count && err == ZONDA_OK; i++) {
        zn_plan_add_input(list->build, paths->items[i]);
        if (reads) {
            err = put_file(list, paths->items[i], error);
        } else {
            put_whole(list, paths->items[i]);
            err = check_count(list, 0, error);
        }
    }
    if (err == ZONDA_OK && reads && list->split_bytes == 0) {
        hint_at_huge(list, paths);
    }
    return err;
}

/* Where kept records go, as an absolute path: workers run elsewhere. NULL: they are not kept. */
static zonda_err find_folder(zn_plan_build *build, zn_bytes args, char **out, zonda_error *error) {
    zn_bytes policy = { 0 };
    zn_bytes given = zn_bytes_of_text("bad-records");
    *out = NULL;
    if (!zn_value_field_text(args, "on_bad_record", &policy) ||
        !zn_bytes_equal(policy, zn_bytes_of_text("keep"))) {
        return ZONDA_OK;
    }
    zn_value_field_text(args, "bad_records", &given);
    if (given.len > 0 && given.data[0] == '/') {
        *out = zn_strndup((const char *)given.data, given.len);
        return ZONDA_OK;
    }
    char *folder = build->files->folder(error);
    if (folder == NULL) {
        return error->code;
    }
    *out = zn_format("%s/%.*s", folder, (int)given.len, (const char *)given.data);
    free(folder);
    return ZONDA_OK;
}

static zonda_err add_inputs(zn_plan_build *build, const zonda_dataset *source, input_list *list,
                            const char *folder, zonda_error *error) {
    zn_buf inputs = { 0 };
    zn_buf args = { 0 };
    zn_put_array(&inputs, (uint32_t)list->count);
    zn_buf_append(&inputs, list->items.data, list->items.len);
    zn_plan_put_args(&args, zn_buf_bytes(&source->args), folder == NULL ? NULL : "bad_records",
                     folder);
    build->draft.tasks = list->count;
    build->draft.in_folder = list->relative;
    zonda_err err =
        zn_plan_add_inputs(build, source, zn_buf_bytes(&args), zn_buf_bytes(&inputs), error);
    zn_buf_free(&args);
    zn_buf_free(&inputs);
    return err;
}

zonda_err zn_plan_add_files(zn_plan_build *build, const zonda_dataset *source, zonda_error *error) {
    zn_bytes args = zn_buf_bytes(&source->args);
    zn_paths paths = { 0 };
    input_list list = { .build = build };
    char *folder = NULL;
    bool reads = strcmp(source->op->name, "read") == 0;
    zn_value_field_text(args, "format", &list.format);
    zn_value_field_uint(args, "split_bytes", &list.split_bytes);
    zonda_err err = reads ? check_given_format(args, error) : ZONDA_OK;
    if (err == ZONDA_OK) {
        err = find_paths(build, args, &paths, error);
    }
    if (err == ZONDA_OK) {
        list.relative = reads && paths.count > 0 && paths.items[0][0] != '/';
        err = put_files(&list, &paths, reads, error);
    }
    if (err == ZONDA_OK && reads) {
        err = find_folder(build, args, &folder, error);
    }
    if (err == ZONDA_OK) {
        err = add_inputs(build, source, &list, folder, error);
    }
    free(folder);
    zn_buf_free(&list.items);
    zn_paths_free(&paths);
    return err;
}
