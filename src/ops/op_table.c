/* SPDX-License-Identifier: MPL-2.0 */
/* The operators as data. The three faces (C, Lua, command line), the planner and the slots look
 * here for names, arguments and classes, so an operator is described exactly once. Operators
 * without a runtime are turned into others when the plan is made: folds into their halves, `write`
 * into the writer of its format. The halves and the source of later stages come last and are not
 * for users. */
#include "ops/op_table.h"

#include "base/ids.h"
#include "base/limits.h"
#include "ops/op_list.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const zn_arg_def list_args[] = {
    { .name = "items",
      .type = ZN_ARG_VALUES,
      .use = ZN_ARG_POSITIONAL,
      .doc = "the records; each is a shard" },
};

static const zn_arg_def range_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_POSITIONAL,
      .max = INT64_MAX,
      .doc = "how many numbers" },
    { .name = "shards",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGE_TASKS_MAX,
      .doc = "number of shards; 0: as many as useful" },
};

static const zn_arg_def files_args[] = {
    { .name = "glob",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "pattern of paths: * ? [..] {a,b} **" },
    { .name = "empty_ok",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "no match is an empty dataset, not an error" },
};

static const zn_arg_def read_args[] = {
    { .name = "glob",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "pattern of paths: * ? [..] {a,b} **" },
    { .name = "format",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .doc = "jsonl or text; without it the suffix decides" },
    { .name = "empty_ok",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "no match is an empty dataset, not an error" },
};

static const zn_arg_def map_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets a record, gives a record" },
};

static const zn_arg_def flat_map_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .block = true,
      .doc = "gets a record, gives any number of records" },
};

static const zn_arg_def filter_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets a record; false and nil drop it" },
};

static const zn_arg_def select_args[] = {
    { .name = "fields",
      .type = ZN_ARG_TEXTS,
      .use = ZN_ARG_POSITIONAL,
      .doc = "fields to keep, in this order; a.b is field b of field a, kept under the name a.b" },
};

static const zn_arg_def reduce_args[] = {
    { .name = "local",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets the accumulated value and a record, gives the next accumulated value" },
    { .name = "global",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_OPTIONAL,
      .doc = "the same over the results of the shards; without it `local`" },
    { .name = "identity",
      .type = ZN_ARG_VALUE,
      .use = ZN_ARG_OPTION,
      .doc = "start in every shard, and the result when there is nothing" },
};

static const zn_arg_def write_args[] = {
    { .name = "pattern",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "path with {shard}, {total}, {basename}; a width as in {shard:05d}" },
    { .name = "level",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = 22,
      .doc = "of the compression; 0: its default" },
};

static const zn_arg_def stage_args[] = {
    { .name = "stage",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGES_MAX,
      .doc = "index of the stage whose results are read" },
    { .name = "empty",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "that stage had no shards" },
};

static const zn_arg_def reduce_half_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets the accumulated value and a record" },
    { .name = "identity",
      .type = ZN_ARG_VALUE,
      .use = ZN_ARG_OPTION,
      .doc = "the result when there is nothing" },
};

#define ARGS(array) .args = (array), .arg_count = COUNT(array)

static const zn_op_def table[] = {
    { .name = "from_list",
      .op_class = ZN_OP_SOURCE,
      ARGS(list_args),
      .runtime = &zn_run_from_list,
      .doc = "the given records, each a shard" },
    { .name = "from_range",
      .op_class = ZN_OP_SOURCE,
      ARGS(range_args),
      .runtime = &zn_run_from_range,
      .doc = "the numbers from 0 to n-1" },
    { .name = "from_files",
      .op_class = ZN_OP_SOURCE,
      ARGS(files_args),
      .runtime = &zn_run_from_files,
      .doc = "the sorted paths that match, each a shard" },
    { .name = "read",
      .op_class = ZN_OP_SOURCE,
      ARGS(read_args),
      .runtime = &zn_run_read,
      .doc = "the records of the files that match, each file a shard" },
    { .name = "map",
      .op_class = ZN_OP_NARROW,
      ARGS(map_args),
      .runtime = &zn_run_map,
      .doc = "one record for each" },
    { .name = "flat_map",
      .op_class = ZN_OP_NARROW,
      ARGS(flat_map_args),
      .runtime = &zn_run_flat_map,
      .doc = "any number of records for each" },
    { .name = "filter",
      .op_class = ZN_OP_NARROW,
      ARGS(filter_args),
      .runtime = &zn_run_filter,
      .doc = "the records for which the function is true" },
    { .name = "select",
      .op_class = ZN_OP_NARROW,
      ARGS(select_args),
      .runtime = &zn_run_select,
      .doc = "only the given fields of each record" },
    { .name = "count", .op_class = ZN_OP_FOLD, .doc = "the number of records" },
    { .name = "reduce",
      .op_class = ZN_OP_FOLD,
      ARGS(reduce_args),
      .doc = "one record from all, first per shard, then over the shards" },
    { .name = "write",
      .op_class = ZN_OP_SINK,
      ARGS(write_args),
      .doc = "a file per shard; the suffix decides the format" },
    { .name = "write_jsonl",
      .op_class = ZN_OP_SINK,
      ARGS(write_args),
      .runtime = &zn_run_write_jsonl,
      .doc = "a file per shard, a line of JSON per record" },
    { .name = "write_text",
      .op_class = ZN_OP_SINK,
      ARGS(write_args),
      .runtime = &zn_run_write_text,
      .doc = "a file per shard, a line per record, which must be a string" },
    { .name = "stage",
      .op_class = ZN_OP_INNER,
      ARGS(stage_args),
      .runtime = &zn_run_stage,
      .doc = "all results of an earlier stage" },
    { .name = "count_shard",
      .op_class = ZN_OP_INNER,
      .runtime = &zn_run_count_shard,
      .doc = "the number of records of the shard" },
    { .name = "count_total",
      .op_class = ZN_OP_INNER,
      .runtime = &zn_run_count_total,
      .doc = "the sum of the counts of all shards" },
    { .name = "reduce_shard",
      .op_class = ZN_OP_INNER,
      ARGS(reduce_half_args),
      .runtime = &zn_run_reduce_shard,
      .doc = "one record from those of the shard" },
    { .name = "reduce_total",
      .op_class = ZN_OP_INNER,
      ARGS(reduce_half_args),
      .runtime = &zn_run_reduce_total,
      .doc = "one record from the results of all shards" },
};

const zn_op_def *zn_op_table(size_t *count) {
    *count = COUNT(table);
    return table;
}

/* A user may write dashes for the underscores of a name. */
static bool names_op(zn_bytes name, const char *op) {
    for (size_t i = 0; i < name.len; i++) {
        char wanted = name.data[i] == '-' ? '_' : (char)name.data[i];
        if (op[i] == '\0' || op[i] != wanted) {
            return false;
        }
    }
    return op[name.len] == '\0';
}

const zn_op_def *zn_op_find(zn_bytes name) {
    for (size_t i = 0; i < COUNT(table); i++) {
        if (names_op(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

const zn_op_def *zn_op_find_user(zn_bytes name, zonda_error *error) {
    const zn_op_def *op = zn_op_find(name);
    if (op != NULL && op->op_class != ZN_OP_INNER) {
        return op;
    }
    zn_buf known = { 0 };
    for (size_t i = 0; i < COUNT(table); i++) {
        if (table[i].op_class != ZN_OP_INNER) {
            zn_buf_printf(&known, "%s%s", known.len == 0 ? "" : ", ", table[i].name);
        }
    }
    int shown = name.len < 64 ? (int)name.len : 64;
    zn_error_set(error, ZONDA_ERR_PLAN, "there is no operator \"%.*s\"; there are: %.*s", shown,
                 (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return NULL;
}

const zn_arg_def *zn_op_arg(const zn_op_def *op, zn_bytes name) {
    for (size_t i = 0; i < op->arg_count; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(op->args[i].name))) {
            return &op->args[i];
        }
    }
    return NULL;
}
