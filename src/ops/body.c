/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the body of a stage. A body comes over the wire, so nothing about it is believed: first the
 * bytes as one value, then its fields, then every operator by name and place, then the arguments
 * against the operator table. Only the arguments of sources are left to the sources, because the
 * planner has replaced the user's (a glob, a list) by a blob with an input per shard. */
#include "ops/body.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"

static zonda_err parse_numbers(zn_bytes bytes, zn_body *body, zonda_error *error) {
    uint64_t stage = 0;
    if (!zn_value_field_uint(bytes, "stage", &stage) || stage > ZN_STAGES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has no valid stage index");
    }
    if (!zn_value_field_uint(bytes, "tasks", &body->task_count) || body->task_count == 0 ||
        body->task_count > ZN_STAGE_TASKS_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has no valid number of tasks");
    }
    body->stage.value = (uint32_t)stage;
    return ZONDA_OK;
}

static zonda_err parse_shared(zn_bytes bytes, zn_body *body, zonda_error *error) {
    static const uint8_t empty_map[] = { 0x80 };
    if (!zn_value_field(bytes, zn_bytes_of_text("shared"), &body->shared)) {
        body->shared = (zn_bytes){ .data = empty_map, .len = sizeof empty_map };
    }
    if (zn_value_head(body->shared).type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the shared data of the body must be a map");
    }
    return ZONDA_OK;
}

/* Limits that the driver asked for; a body without them has the usual ones. */
static zonda_err parse_lua_limits(zn_bytes bytes, zn_body *body, zonda_error *error) {
    zn_bytes limits;
    uint64_t memory = 0;
    uint64_t instructions = 0;
    if (zn_value_field(bytes, zn_bytes_of_text("lua"), &limits)) {
        zn_value_field_uint(limits, "memory", &memory);
        zn_value_field_uint(limits, "instructions", &instructions);
    }
    return zn_lua_limits_set(memory, instructions, &body->lua, error);
}

/* The first operator must be able to run, all others to be pushed to. */
static zonda_err check_place(const zn_op_def *def, size_t place, zonda_error *error) {
    if (def->runtime == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s cannot run in a stage: the planner turns it into others",
                            def->name);
    }
    if (place == 0 && def->runtime->run == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the stage begins with %s, which is no source",
                            def->name);
    }
    if (place > 0 && def->runtime->push == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s is a source and cannot follow another "
                            "operator",
                            def->name);
    }
    return ZONDA_OK;
}

static zonda_err parse_op(zn_bytes item, size_t place, zn_body_op *out, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(item);
    zn_value pair = zn_cursor_read(&cursor);
    if (pair.type != ZN_VALUE_ARRAY || pair.count != 2) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "operator %zu of the body must be a name with arguments", place);
    }
    zn_value name = zn_value_head(zn_cursor_skip(&cursor));
    zn_bytes args = zn_cursor_skip(&cursor);
    if (name.type != ZN_VALUE_STRING || zn_value_head(args).type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "operator %zu of the body must be a name with arguments", place);
    }
    const zn_op_def *def = zn_op_find(name.bytes);
    if (def == NULL) {
        int shown = name.bytes.len < 64 ? (int)name.bytes.len : 64;
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has an unknown operator \"%.*s\"",
                            shown, (const char *)name.bytes.data);
    }
    *out = (zn_body_op){ .def = def, .args = args };
    zonda_err err = check_place(def, place, error);
    if (err != ZONDA_OK || def->op_class == ZN_OP_SOURCE) {
        return err;
    }
    return zn_op_check_args(def, args, error);
}

static zonda_err parse_ops(zn_bytes bytes, zn_body *body, zonda_error *error) {
    zn_bytes list;
    if (!zn_value_field(bytes, zn_bytes_of_text("ops"), &list)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has no operators");
    }
    zn_cursor cursor = zn_cursor_of(list);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY || head.count == 0 || head.count > ZN_STAGE_OPS_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body must have 1 to %u operators",
                            ZN_STAGE_OPS_MAX);
    }
    body->ops = zn_calloc(head.count, sizeof *body->ops);
    body->op_count = head.count;
    for (uint32_t i = 0; i < head.count; i++) {
        zonda_err err = parse_op(zn_cursor_skip(&cursor), i, &body->ops[i], error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

zonda_err zn_body_parse(zn_bytes bytes, zn_body *out, zonda_error *error) {
    if (zn_value_check(bytes, error) != ZONDA_OK) {
        if (error != NULL) {
            error->code = ZONDA_ERR_PLAN;
        }
        zn_error_prefix(error, "the body of the stage: ");
        return ZONDA_ERR_PLAN;
    }
    if (zn_value_head(bytes).type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body of a stage must be a map");
    }
    zn_body body = { 0 };
    zonda_err err = parse_numbers(bytes, &body, error);
    if (err == ZONDA_OK) {
        err = parse_shared(bytes, &body, error);
    }
    if (err == ZONDA_OK) {
        err = parse_lua_limits(bytes, &body, error);
    }
    if (err == ZONDA_OK) {
        err = parse_ops(bytes, &body, error);
    }
    if (err != ZONDA_OK) {
        zn_body_free(&body);
        return err;
    }
    *out = body;
    return ZONDA_OK;
}

void zn_body_free(zn_body *body) {
    free(body->ops);
    body->ops = NULL;
    body->op_count = 0;
}
