/* SPDX-License-Identifier: MPL-2.0 */
/* join: records of two datasets by key. The planner makes one of two things of it. Usually both
 * sides are shuffled by the hash of the key (join_left and join_right end their stages) and
 * join_total reads the two together. A small right side may instead be read as a whole by every
 * task of the left one, which is join_broadcast in op_join_broadcast.c. */
#include "base/limits.h"
#include "ops/join_check.h"
#include "ops/join_side.h"
#include "ops/join_total.h"
#include "ops/op_list.h"
#include "record/value.h"

static zonda_err check_broadcast(zn_bytes args, zonda_error *error) {
    zn_bytes how_name = { 0 };
    zn_bytes shards = { 0 };
    zn_join_how how = ZN_JOIN_INNER;
    zn_join_broadcast broadcast;
    if (!zn_join_broadcast_of(args, &broadcast)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"broadcast\" of join must be true, false or auto");
    }
    if (broadcast != ZN_JOIN_BROADCAST_ALWAYS) {
        return ZONDA_OK;
    }
    zn_value_field_text(args, "how", &how_name);
    zn_join_how_find(how_name, &how);
    if (zn_join_how_keeps_right(how)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "a join with broadcast cannot be of kind \"%.*s\": no task sees all "
                            "partners of a right record; leave broadcast out, or swap the sides",
                            (int)how_name.len, (const char *)how_name.data);
    }
    if (zn_value_field(args, zn_bytes_of_text("shards"), &shards)) {
        return zn_error_set(
            error, ZONDA_ERR_PLAN,
            "a join with broadcast keeps the shards of the left side, so it takes no \"shards\"");
    }
    return ZONDA_OK;
}

static zonda_err check_join(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zonda_err err = zn_join_check(op, args, error);
    return err != ZONDA_OK ? err : check_broadcast(args, error);
}

static const zn_arg_def join_args[] = {
    ZN_JOIN_USER_ARGS,
    { .name = "broadcast",
      .type = ZN_ARG_SWITCH,
      .use = ZN_ARG_OPTION,
      .doc = "every task of the left side reads the whole right side: true, false, or auto (the "
             "default), when the right side is small" },
    { .name = "shards",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .min = 1,
      .max = ZN_STAGE_TASKS_MAX,
      .doc = "of the result; without it as many as the side with more of them has, up to 256" },
};

const zn_op_def zn_op_join = { .name = "join",
                               .op_class = ZN_OP_WIDE,
                               ZN_ARGS(join_args),
                               .check = check_join,
                               .two_inputs = true,
                               .doc = "records of two datasets that have equal keys, as pairs" };

const zn_op_def zn_op_join_left = { .name = "join_left",
                                    .op_class = ZN_OP_INNER,
                                    ZN_SHUFFLE_ARGS,
                                    .runtime = &zn_join_left_runtime,
                                    .doc = "shuffles the left side of a join" };

const zn_op_def zn_op_join_right = { .name = "join_right",
                                     .op_class = ZN_OP_INNER,
                                     ZN_SHUFFLE_ARGS,
                                     .runtime = &zn_join_right_runtime,
                                     .doc = "shuffles the right side of a join" };

const zn_op_def zn_op_join_total = { .name = "join_total",
                                     .op_class = ZN_OP_INNER,
                                     ZN_JOIN_TOTAL_ARGS,
                                     .runtime = &zn_join_total_runtime,
                                     .doc = "pairs of equal keys" };
