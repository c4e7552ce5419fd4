/* SPDX-License-Identifier: MPL-2.0 */
/* What a plan would do, as text for people. It reads the bodies that would be sent, not the dataset
 * that they come from, so a dry run cannot show anything else than what would run. Values are
 * written as JSON, which also keeps control characters of user texts off the terminal. */
#include <string.h>

#include "base/assert.h"
#include "plan/plan.h"
#include "record/json.h"
#include "record/value.h"

enum {
    INPUTS_SHOWN = 3,
    VALUE_BYTES_SHOWN = 200
};

static void print_value(zn_bytes value, zn_buf *out) {
    zonda_error ignored;
    zn_buf json = { 0 };
    if (zn_json_write(value, &json, &ignored) != ZONDA_OK) {
        zn_buf_printf(out, "<%s>", zn_value_type_name(zn_value_head(value).type));
    } else if (json.len <= VALUE_BYTES_SHOWN) {
        zn_buf_append(out, json.data, json.len);
    } else {
        char cut[VALUE_BYTES_SHOWN + 1];
        zn_error_copy(cut, sizeof cut, (const char *)json.data, json.len);
        zn_buf_printf(out, "%s…", cut);
    }
    zn_buf_free(&json);
}

/* A function in the words of its author: c:shorten, lua:"r.size > 1", script function 3. */
static void print_function(zn_bytes function, zn_buf *out) {
    zn_bytes kind = { 0 };
    zn_bytes text = { 0 };
    uint64_t index = 0;
    zn_value_field_text(function, "kind", &kind);
    if (zn_value_field_uint(function, "index", &index)) {
        zn_buf_printf(out, "%.*s:%llu", (int)kind.len, (const char *)kind.data,
                      (unsigned long long)index);
        return;
    }
    zn_buf_printf(out, "%.*s:", (int)kind.len, (const char *)kind.data);
    if (zn_value_field(function, zn_bytes_of_text("text"), &text) ||
        zn_value_field(function, zn_bytes_of_text("name"), &text)) {
        print_value(text, out);
    }
}

static bool is_function(zn_bytes value) {
    zn_bytes kind = { 0 };
    return zn_value_field_text(value, "kind", &kind);
}

static void print_inputs(const zn_plan *plan, zn_bytes digest_bytes, unsigned depth, zn_buf *out) {
    zn_digest digest;
    const zn_plan_blob *blob = NULL;
    if (zn_digest_from_bytes(digest_bytes, &digest)) {
        blob = zn_plan_find_blob(plan, digest);
    }
    if (blob == NULL) {
        return;
    }
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&blob->bytes));
    uint32_t count = zn_cursor_read(&cursor).count;
    zn_buf_printf(out, "%*sinputs: %u", (int)(2 * depth + 2), "", count);
    for (uint32_t i = 0; i < count && i < INPUTS_SHOWN; i++) {
        zn_buf_append_text(out, i == 0 ? ": " : ", ");
        print_value(zn_cursor_skip(&cursor), out);
    }
    zn_buf_append_text(out, count > INPUTS_SHOWN ? ", …\n" : "\n");
}

/* One line for the operator, and one for what its shards are. */
static void print_op(const zn_plan *plan, zn_bytes name, zn_bytes args, unsigned depth,
                     zn_buf *out) {
    zn_buf_printf(out, "%*s%.*s", (int)(2 * depth), "", (int)name.len, (const char *)name.data);
    zn_cursor cursor = zn_cursor_of(args);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    zn_bytes inputs = { 0 };
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes key = zn_cursor_read(&cursor).bytes;
        zn_bytes value = zn_cursor_skip(&cursor);
        if (zn_bytes_equal(key, zn_bytes_of_text("inputs"))) {
            inputs = zn_value_head(value).bytes;
            continue;
        }
        zn_buf_printf(out, " %.*s=", (int)key.len, (const char *)key.data);
        if (is_function(value)) {
            print_function(value, out);
        } else {
            print_value(value, out);
        }
    }
    zn_buf_append_text(out, "\n");
    if (inputs.len > 0) {
        print_inputs(plan, inputs, depth, out);
    }
}

/* Where a source that reads earlier stages has its records from. */
static void print_planned(zn_bytes planned, unsigned depth, zn_buf *out) {
    zn_bytes inputs = { 0 };
    if (!zn_value_field(planned, zn_bytes_of_text("inputs"), &inputs)) {
        return;
    }
    zn_cursor cursor = zn_cursor_of(inputs);
    uint32_t count = zn_cursor_read(&cursor).count;
    zn_buf_printf(out, "%*sreads: %s", (int)(2 * depth + 2), "", count == 0 ? "nothing" : "");
    for (uint32_t i = 0; i < count; i++) {
        zn_bytes input = zn_cursor_skip(&cursor);
        zn_bytes by = { 0 };
        uint64_t stage = 0;
        uint64_t tasks = 0;
        zn_value_field_uint(input, "stage", &stage);
        zn_value_field_uint(input, "tasks", &tasks);
        zn_value_field_text(input, "by", &by);
        zn_buf_printf(out, "%sstage %llu (%llu task%s) by %.*s", i == 0 ? "" : ", ",
                      (unsigned long long)stage, (unsigned long long)tasks, tasks == 1 ? "" : "s",
                      (int)by.len, (const char *)by.data);
    }
    zn_buf_append_text(out, "\n");
}

static void print_shared(const zn_plan *plan, zn_bytes shared, zn_buf *out) {
    zn_cursor cursor = zn_cursor_of(shared);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes name = zn_cursor_read(&cursor).bytes;
        zn_digest digest;
        const zn_plan_blob *blob = NULL;
        if (zn_digest_from_bytes(zn_cursor_read(&cursor).bytes, &digest)) {
            blob = zn_plan_find_blob(plan, digest);
        }
        zn_buf_printf(out, "shared %.*s: %zu bytes\n", (int)name.len, (const char *)name.data,
                      blob == NULL ? 0 : blob->bytes.len);
    }
}

static zn_bytes stage_field(const zn_plan *plan, size_t stage, const char *key) {
    const zn_plan_blob *body = zn_plan_find_blob(plan, plan->stages[stage].body);
    zn_bytes value = { 0 };
    bool found =
        body != NULL && zn_value_field(zn_buf_bytes(&body->bytes), zn_bytes_of_text(key), &value);
    ZN_ASSERT(found);
    return value;
}

static void print_chain(const zn_plan *plan, zn_bytes map, unsigned depth, zn_buf *out);

/* Branches come before what follows them, as the records do. */
static void print_branches(const zn_plan *plan, zn_bytes list, unsigned depth, zn_buf *out) {
    zn_cursor cursor = zn_cursor_of(list);
    uint32_t count = zn_cursor_read(&cursor).count;
    for (uint32_t i = 0; i < count; i++) {
        zn_bytes branch = zn_cursor_skip(&cursor);
        uint64_t tasks = 0;
        zn_buf_printf(out, "%*sbranch %u", (int)(2 * depth), "", i);
        if (zn_value_field_uint(branch, "tasks", &tasks)) {
            zn_buf_printf(out, " (%llu task%s)", (unsigned long long)tasks, tasks == 1 ? "" : "s");
        }
        zn_buf_append_text(out, "\n");
        print_chain(plan, branch, depth + 1, out);
    }
}

/* The operators of a stage, or of a branch of one. */
static void print_chain(const zn_plan *plan, zn_bytes map, unsigned depth, zn_buf *out) {
    zn_bytes branches = { 0 };
    zn_bytes list = { 0 };
    if (zn_value_field(map, zn_bytes_of_text("branches"), &branches)) {
        print_branches(plan, branches, depth, out);
    }
    bool found = zn_value_field(map, zn_bytes_of_text("ops"), &list);
    ZN_ASSERT(found);
    zn_cursor cursor = zn_cursor_of(list);
    uint32_t ops = zn_cursor_read(&cursor).count;
    for (uint32_t i = 0; i < ops; i++) {
        uint32_t parts = zn_cursor_read(&cursor).count;
        zn_bytes name = zn_cursor_read(&cursor).bytes;
        print_op(plan, name, zn_cursor_skip(&cursor), depth, out);
        if (parts > 2) {
            print_planned(zn_cursor_skip(&cursor), depth, out);
        }
    }
}

static void print_stage(const zn_plan *plan, size_t index, zn_buf *out) {
    const zn_plan_stage *stage = &plan->stages[index];
    unsigned long long tasks = stage->task_count;
    zn_buf_printf(out, "stage %zu: %s (%llu task%s%s)\n", index, stage->name, tasks,
                  tasks == 1 ? "" : "s", tasks == 0 ? ", never started" : "");
    const zn_plan_blob *body = zn_plan_find_blob(plan, stage->body);
    ZN_ASSERT(body != NULL);
    print_chain(plan, zn_buf_bytes(&body->bytes), 1, out);
}

void zn_plan_print(const zn_plan *plan, zn_buf *out) {
    char fingerprint[ZN_DIGEST_TEXT];
    uint64_t tasks = 0;
    for (size_t i = 0; i < plan->stage_count; i++) {
        tasks += plan->stages[i].task_count;
    }
    zn_buf_printf(out, "plan %s: %zu stage%s, %llu task%s\n",
                  zn_digest_text(plan->fingerprint, fingerprint), plan->stage_count,
                  plan->stage_count == 1 ? "" : "s", (unsigned long long)tasks,
                  tasks == 1 ? "" : "s");
    for (size_t i = 0; i < plan->stage_count; i++) {
        print_stage(plan, i, out);
    }
    print_shared(plan, stage_field(plan, 0, "shared"), out);
}
