/* SPDX-License-Identifier: MPL-2.0 */
/* Joins of a plan. The left side is the draft when a join is reached; its right side is compiled
 * then. Both end their stages with a shuffle and <op>_total reads the two, the right one first, as
 * that is the order in which it wants equal keys. A right side that is broadcast is a stage of its
 * own instead, and the left draft goes on with join_broadcast. Whether to do so unasked depends on
 * sizes that are known now, so the same plan on the same input is always the same. */
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "ops/join_check.h"
#include "plan/arguments.h"
#include "plan/plan_wide.h"
#include "record/value.h"
#include "store/stream.h"

/* A join while it is planned. */
typedef struct joining {
    zn_plan_build *build;
    const zonda_dataset *node;
    zn_bytes args;
    zn_join_how how;
    zn_bytes left_on;
    zn_bytes right_on;
    bool named;          /* both keys are made of fields */
    uint64_t left_tasks; /* of the sides */
    uint64_t right_tasks;
    zn_stage_draft left; /* set aside */
} joining;

static void read_args(joining *join) {
    zn_bytes how = { 0 };
    zn_bytes name = { 0 };
    zn_value_field_text(join->args, "how", &how);
    zn_join_how_find(how, &join->how);
    zn_join_keys(join->args, &join->left_on, &join->right_on);
    join->named =
        zn_join_key_name(join->left_on, 0, &name) && zn_join_key_name(join->right_on, 0, &name);
}

/* A key of one field is written in one way only, so that a list of one name and a name are alike on
 * both sides. */
static void put_key(const joining *join, zn_arguments *out, const char *name, zn_bytes key) {
    zn_bytes only = { 0 };
    zn_bytes second = { 0 };
    bool is_one =
        join->named && zn_join_key_name(key, 0, &only) && !zn_join_key_name(key, 1, &second);
    zn_buf text = { 0 };
    if (is_one) {
        zn_put_string(&text, only);
        key = zn_buf_bytes(&text);
    }
    zn_arguments_value(out, name, key);
    zn_buf_free(&text);
}

/* The fields that both sides have for key at the same place. */
static void put_once(const joining *join, zn_arguments *out) {
    zn_buf names = { 0 };
    zn_buf list = { 0 };
    uint32_t count = 0;
    zn_bytes left = { 0 };
    zn_bytes right = { 0 };
    for (uint32_t i = 0; join->named && zn_join_key_name(join->left_on, i, &left) &&
                         zn_join_key_name(join->right_on, i, &right);
         i++) {
        if (zn_bytes_equal(left, right)) {
            zn_put_string(&names, left);
            count++;
        }
    }
    if (count > 0) {
        zn_put_array(&list, count);
        zn_buf_append(&list, names.data, names.len);
        zn_arguments_value(out, "once", zn_buf_bytes(&list));
    }
    zn_buf_free(&list);
    zn_buf_free(&names);
}

/* What join_record.h wants to know. */
static void put_record(const joining *join, zn_arguments *out) {
    zn_arguments_copy(out, "how", join->args, "how");
    put_once(join, out);
    zn_arguments_copy(out, "suffix", join->args, "suffix");
    zn_arguments_copy(out, "combine", join->args, "combine");
}

static zonda_err end_side(const joining *join, const char *op, bool is_left, uint64_t shards,
                          zn_wide_input *input, zonda_error *error) {
    bool keeps = is_left ? zn_join_how_keeps_left(join->how) : zn_join_how_keeps_right(join->how);
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    put_key(join, &args, "by", is_left ? join->left_on : join->right_on);
    zn_arguments_text(&args, "mode", shards > 0 ? "hash" : "task");
    if (shards > 0) {
        zn_arguments_uint(&args, "shards", shards);
    }
    zn_arguments_text(&args, "keep", "all");
    if (!keeps && shards > 0) { /* else keys of nil show whether the side is sorted */
        zn_arguments_bool(&args, "drop_nil", true);
    }
    zonda_err err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        err = zn_plan_end_wide(join->build, op, zn_buf_bytes(&map), join->node->op->name,
                               shards > 0 ? "partition" : "task", input, error);
    }
    zn_buf_free(&map);
    return err;
}

/* Names of the inner operators of a join. */
typedef struct inner_names {
    const char *left;
    const char *right;
    const char *total;
} inner_names;

/* Ends the stages of both sides and begins the one that reads them. `partitions` 0: shard i of the
 * result reads task i of both. */
static zonda_err add_shuffles(joining *join, const inner_names *names, uint64_t partitions,
                              uint64_t shards, zonda_error *error) {
    zn_plan_build *build = join->build;
    zn_wide_input inputs[2] = { 0 };
    zonda_err err = end_side(join, names->right, false, partitions, &inputs[0], error);
    if (err != ZONDA_OK) {
        return err;
    }
    build->draft = join->left;
    join->left = (zn_stage_draft){ 0 };
    err = end_side(join, names->left, true, partitions, &inputs[1], error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    put_record(join, &args);
    if (join->right_tasks == 0) {
        zn_arguments_bool(&args, "right", false);
    }
    err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        zn_plan_begin_wide(build, names->total, zn_buf_bytes(&map), join->node->op->name, inputs, 2,
                           shards);
    }
    zn_buf_free(&map);
    return err;
}

/* Makes the right side, which is the draft, a stage of rows. */
static zonda_err end_broadcast(joining *join, zonda_error *error) {
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    put_key(join, &args, "by", join->right_on);
    if (!zn_join_how_has_pairs(join->how)) {
        zn_arguments_bool(&args, "only_keys", true);
    }
    zonda_err err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        zn_plan_add_op(join->build, "join_rows", zn_buf_bytes(&map), join->node->op->name);
        err = zn_plan_end_stage(join->build, error);
    }
    zn_buf_free(&map);
    return err;
}

/* Every task of the left side reads the right one as a whole. */
static zonda_err add_broadcast(joining *join, zonda_error *error) {
    zn_plan_build *build = join->build;
    zn_stage_input input = { .stage = build->plan->stage_count, .by = ZN_INPUT_ALL };
    zonda_err err = end_broadcast(join, error);
    if (err != ZONDA_OK) {
        return err;
    }
    build->draft = join->left;
    join->left = (zn_stage_draft){ 0 };
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    put_key(join, &args, "by", join->left_on);
    put_record(join, &args);
    zn_arguments_uint(&args, "stage", input.stage);
    if (join->right_tasks == 0) {
        zn_arguments_bool(&args, "empty", true);
    } else {
        zn_plan_add_stage_input(&build->draft, &input);
    }
    err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        zn_plan_add_op(build, "join_broadcast", zn_buf_bytes(&map), join->node->op->name);
    }
    zn_buf_free(&map);
    return err;
}

/* The source of a chain of operators that make no more of their records; NULL if it is none. */
static const zonda_dataset *find_plain_source(const zonda_dataset *node) {
    static const char *const plain[] = { "drop",   "filter", "map",           "rename",
                                         "sample", "select", "take_per_shard" };
    while (node->op->op_class != ZN_OP_SOURCE) {
        size_t i = 0;
        while (i < sizeof plain / sizeof *plain && strcmp(plain[i], node->op->name) != 0) {
            i++;
        }
        if (i == sizeof plain / sizeof *plain) {
            return NULL;
        }
        node = node->inputs[0];
    }
    return node;
}

/* Bytes of the files that the right side reads, which are those from `first` on. What a compressed
 * file holds is not known. */
static bool know_files(const zn_plan_build *build, size_t first, uint64_t *bytes) {
    *bytes = 0;
    for (size_t i = first; i < build->inputs.count && *bytes <= ZN_BROADCAST_BYTES_MAX; i++) {
        const char *path = build->inputs.items[i];
        uint64_t size = 0;
        zonda_error ignored;
        if (zn_compression_of(path, NULL) != ZN_COMPRESSION_NONE ||
            build->files->size(path, &size, &ignored) != ZONDA_OK) {
            return false;
        }
        *bytes += size;
    }
    return true;
}

/* The size of a source; false if it is not known. */
static bool know_size(const zn_plan_build *build, const zonda_dataset *source, size_t first,
                      uint64_t *bytes) {
    uint64_t n = 0;
    if (strcmp(source->op->name, "read") == 0) {
        return know_files(build, first, bytes);
    }
    if (strcmp(source->op->name, "from_list") == 0) {
        *bytes = source->args.len;
        return true;
    }
    if (zn_value_field_uint(zn_buf_bytes(&source->args), "n", &n)) {
        *bytes = n > ZN_BROADCAST_BYTES_MAX ? n : n * sizeof n;
        return true;
    }
    return false;
}

/* Whether the right side, whose files are those from `first` on, is to be broadcast unasked. */
static bool is_small(const joining *join, size_t first) {
    zn_bytes shards;
    uint64_t bytes = 0;
    if (zn_join_how_keeps_right(join->how) ||
        zn_value_field(join->args, zn_bytes_of_text("shards"), &shards)) {
        return false;
    }
    const zonda_dataset *source = find_plain_source(join->node->inputs[1]);
    return source != NULL && know_size(join->build, source, first, &bytes) &&
           bytes <= ZN_BROADCAST_BYTES_MAX;
}

/* Compiles the right side as the draft. */
static zonda_err begin_join(joining *join, zonda_error *error) {
    join->args = zn_buf_bytes(&join->node->args);
    read_args(join);
    join->left_tasks = join->build->draft.tasks;
    zonda_err err = zn_plan_add_right(join->build, join->node->inputs[1], &join->left, error);
    join->right_tasks = join->build->draft.tasks;
    return err;
}

zonda_err zn_plan_add_join(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    static const inner_names names = { "join_left", "join_right", "join_total" };
    joining join = { .build = build, .node = node };
    zn_join_broadcast broadcast = ZN_JOIN_BROADCAST_AUTO;
    size_t first = build->inputs.count;
    zonda_err err = begin_join(&join, error);
    zn_join_broadcast_of(join.args, &broadcast);
    bool asked = broadcast == ZN_JOIN_BROADCAST_ALWAYS;
    if (err == ZONDA_OK &&
        (asked || (broadcast == ZN_JOIN_BROADCAST_AUTO && is_small(&join, first)))) {
        err = add_broadcast(&join, error);
    } else if (err == ZONDA_OK) {
        uint64_t more = join.left_tasks > join.right_tasks ? join.left_tasks : join.right_tasks;
        uint64_t shards = zn_plan_wide_shards(join.args, more);
        err = add_shuffles(&join, &names, shards > 0 ? shards : 1, shards, error);
    }
    zn_plan_free_draft(&join.left);
    return err;
}

zonda_err zn_plan_add_sorted_merge_join(zn_plan_build *build, const zonda_dataset *node,
                                        zonda_error *error) {
    static const inner_names names = { "sorted_merge_join_left", "sorted_merge_join_right",
                                       "sorted_merge_join_total" };
    joining join = { .build = build, .node = node };
    zonda_err err = begin_join(&join, error);
    if (err == ZONDA_OK && join.left_tasks != join.right_tasks && join.left_tasks > 0 &&
        join.right_tasks > 0) {
        err = zn_error_set(error, ZONDA_ERR_PLAN,
                           "sorted_merge_join needs as many shards on both sides, but the left one "
                           "has %" PRIu64 " and the right one %" PRIu64
                           "; use join, which needs no order",
                           join.left_tasks, join.right_tasks);
    }
    if (err == ZONDA_OK) {
        uint64_t shards = join.left_tasks > 0 ? join.left_tasks : join.right_tasks;
        err = add_shuffles(&join, &names, 0, shards, error);
    }
    zn_plan_free_draft(&join.left);
    return err;
}
