/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the body of a stage. A body comes over the wire, so nothing about it is believed: first the
 * bytes as one value, then its fields, then every operator by name and place, then the arguments
 * against the operator table. Only the arguments of sources are left to the sources, because the
 * planner has replaced the user's (a glob, a list) by a blob with an input per shard. */
#include "ops/body.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    zn_value_field_uint(bytes, "profile", &body->profile);
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

/* Where relative paths begin and commands run. */
static zonda_err parse_folder(zn_bytes bytes, zn_body *body, zonda_error *error) {
    zn_bytes folder = { 0 };
    if (zn_value_field_text(bytes, "folder", &folder) &&
        (folder.len == 0 || folder.len > ZN_PATH_BYTES_MAX || folder.data[0] != '/' ||
         memchr(folder.data, '\0', folder.len) != NULL)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the folder of the body is no absolute path");
    }
    body->folder = folder;
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

/* The operator that a chain begins with must be able to run, all others to be pushed to. */
static zonda_err check_place(const zn_op_def *def, bool begins, zonda_error *error) {
    if (def->runtime == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s cannot run in a stage: the planner turns it into others",
                            def->name);
    }
    if (begins && def->runtime->run == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the stage begins with %s, which is no source",
                            def->name);
    }
    if (!begins && def->runtime->push == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s is a source and cannot follow another "
                            "operator",
                            def->name);
    }
    return ZONDA_OK;
}

static zonda_err parse_op(zn_bytes item, size_t place, bool begins, zn_body_op *out,
                          zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(item);
    zn_value pair = zn_cursor_read(&cursor);
    if (pair.type != ZN_VALUE_ARRAY || pair.count < 2 || pair.count > 3) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "operator %zu of the body must be a name with arguments", place);
    }
    zn_value name = zn_value_head(zn_cursor_skip(&cursor));
    zn_bytes args = zn_cursor_skip(&cursor);
    zn_bytes planned = pair.count == 3 ? zn_cursor_skip(&cursor) : (zn_bytes){ 0 };
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
    *out = (zn_body_op){ .def = def, .args = args, .planned = planned };
    zonda_err err = check_place(def, begins, error);
    if (err != ZONDA_OK || def->op_class == ZN_OP_SOURCE) {
        return err;
    }
    return zn_op_check_args(def, args, error);
}

/* A chain of the body while it is read: the operators that it leads into are known, so chains are
 * read from the last operator of a stage towards its sources. */
typedef struct chain {
    zn_bytes map;  /* {"ops", and "branches" or (a branch) "tasks"} */
    size_t next;   /* operator behind the chain */
    size_t length; /* operators from the begin of the chain to the end of the stage */
    unsigned depth;
} chain;

static zonda_err parse_ops(const chain *from, bool begins, zn_body *body, zonda_error *error) {
    zn_bytes list;
    if (!zn_value_field(from->map, zn_bytes_of_text("ops"), &list)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has no operators");
    }
    zn_cursor cursor = zn_cursor_of(list);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY || (begins && head.count == 0) ||
        head.count + from->length > ZN_STAGE_OPS_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body must have 1 to %u operators",
                            ZN_STAGE_OPS_MAX);
    }
    body->ops = zn_realloc(body->ops, body->op_count + head.count + 1, sizeof *body->ops);
    for (uint32_t i = 0; i < head.count; i++) {
        zn_body_op *op = &body->ops[body->op_count];
        *op = (zn_body_op){ .next = i + 1 < head.count ? body->op_count + 1 : from->next };
        zonda_err err = parse_op(zn_cursor_skip(&cursor), i, begins && i == 0, op, error);
        if (err != ZONDA_OK) {
            return err;
        }
        op->next = i + 1 < head.count ? body->op_count + 1 : from->next;
        op->first = UINT64_MAX;
        body->op_count++;
    }
    return ZONDA_OK;
}

/* Adds the range of tasks that begins with the operator, and makes it known to all behind it. */
static zonda_err add_source(zn_body *body, size_t op, uint64_t tasks, zonda_error *error) {
    uint64_t first = 0;
    if (body->source_count > 0) {
        const zn_body_source *last = &body->sources[body->source_count - 1];
        first = last->first + last->tasks;
    }
    if (tasks == 0 || tasks > body->task_count - first) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a branch of the body has %" PRIu64 " tasks",
                            tasks);
    }
    ZN_GROW(body->sources, body->source_count, body->source_capacity);
    body->sources[body->source_count++] =
        (zn_body_source){ .op = op, .first = first, .tasks = tasks };
    for (size_t at = op; at != ZN_BODY_END; at = body->ops[at].next) {
        zn_body_op *behind = &body->ops[at];
        behind->first = behind->first < first ? behind->first : first;
        behind->tasks += tasks;
    }
    return ZONDA_OK;
}

static zonda_err parse_chain(const chain *from, zn_body *body, zonda_error *error);

static zonda_err parse_branches(const chain *from, zn_bytes branches, size_t next, size_t op_count,
                                zn_body *body, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(branches);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY || head.count == 0 || from->depth >= ZN_UNION_DEPTH_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the body has branches that cannot be read");
    }
    chain branch = { .next = next, .length = from->length + op_count, .depth = from->depth + 1 };
    for (uint32_t i = 0; i < head.count; i++) {
        branch.map = zn_cursor_skip(&cursor);
        zonda_err err = parse_chain(&branch, body, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

/* Reads a chain, then those that lead into it. */
static zonda_err parse_chain(const chain *from, zn_body *body, zonda_error *error) {
    zn_bytes branches = { 0 };
    bool joins = zn_value_field(from->map, zn_bytes_of_text("branches"), &branches);
    size_t begin = body->op_count;
    zonda_err err = parse_ops(from, !joins, body, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (joins) {
        size_t next = body->op_count > begin ? begin : from->next;
        return parse_branches(from, branches, next, body->op_count - begin, body, error);
    }
    uint64_t tasks = body->task_count;
    if (from->depth > 0 && !zn_value_field_uint(from->map, "tasks", &tasks)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a branch of the body has no tasks");
    }
    return add_source(body, begin, tasks, error);
}

static zonda_err parse_chains(zn_bytes bytes, zn_body *body, zonda_error *error) {
    chain last = { .map = bytes, .next = ZN_BODY_END };
    zonda_err err = parse_chain(&last, body, error);
    if (err != ZONDA_OK) {
        return err;
    }
    const zn_body_source *source = &body->sources[body->source_count - 1];
    if (source->first + source->tasks != body->task_count) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the branches of the body do not have %" PRIu64 " tasks",
                            body->task_count);
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
        err = parse_folder(bytes, &body, error);
    }
    if (err == ZONDA_OK) {
        err = parse_lua_limits(bytes, &body, error);
    }
    if (err == ZONDA_OK) {
        err = parse_chains(bytes, &body, error);
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
    free(body->sources);
    body->ops = NULL;
    body->op_count = 0;
    body->sources = NULL;
    body->source_count = 0;
}
