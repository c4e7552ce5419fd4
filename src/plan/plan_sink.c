/* SPDX-License-Identifier: MPL-2.0 */
/* Sinks of a plan. `write` becomes the writer of the format that its suffix names. Every sink gets
 * the document of its manifest (store/manifest.h) as a blob: the digest of all that decides what is
 * in the outputs, and the inputs as they are now. What does not decide it (where the outputs are,
 * whether existing ones are kept) is left out, so that a run with skip_existing finds the outputs
 * of one without. The planner does not look at files itself; a callback does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/sink_args.h"
#include "plan/plan_build.h"
#include "record/value.h"

/* The writer behind a sink: `write` leaves the format to the suffix of its pattern. */
static zonda_err find_writer(const zonda_dataset *node, const char *pattern, const char **writer,
                             zonda_error *error) {
    if (node->op->runtime != NULL) {
        *writer = node->op->name;
        return ZONDA_OK;
    }
    const char *format = NULL;
    zonda_err err = zn_write_format(pattern, &format, error);
    if (err != ZONDA_OK) {
        return err;
    }
    char name[ZN_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "write_%s", format);
    const zn_op_def *op = zn_op_find(zn_bytes_of_text(name));
    if (op == NULL) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "nothing writes the format %s", format);
    }
    *writer = op->name;
    return ZONDA_OK;
}

void zn_plan_add_input(zn_plan_build *build, const char *path) {
    zn_paths *inputs = &build->inputs;
    ZN_GROW(inputs->items, inputs->count, inputs->capacity);
    inputs->items[inputs->count++] = zn_strdup(path);
}

/* What a sink writes: its format and level, but not where. */
static void put_sink(zn_buf *out, const char *writer, int level) {
    zn_put_text(out, writer);
    zn_put_int(out, level);
}

/* Names and digests; the digest of the same values is the same in every plan. */
static void put_shared(zn_buf *out, const zn_plan_build *build) {
    const zn_plan_settings *settings = build->settings;
    zn_put_map(out, (uint32_t)settings->shared_count);
    for (size_t i = 0; i < settings->shared_count; i++) {
        zn_digest digest = zn_digest_of(settings->shared[i].value);
        zn_put_text(out, settings->shared[i].name);
        zn_put_binary(out, zn_digest_bytes(&digest));
    }
}

/* The digest of all that decides what is in the outputs, beside what is in the input files. */
static zn_digest digest_content(const zn_plan_build *build, const char *writer, int level) {
    const zn_plan *plan = build->plan;
    zn_buf all = { 0 };
    zn_put_array(&all, (uint32_t)plan->stage_count);
    for (size_t i = 0; i < plan->stage_count; i++) {
        zn_put_binary(&all, zn_digest_bytes(&plan->stages[i].body));
    }
    zn_put_uint(&all, build->draft.tasks);
    zn_put_binary(&all, zn_buf_bytes(&build->draft.branches));
    zn_buf_append(&all, build->draft.ops.data, build->draft.ops.len);
    put_sink(&all, writer, level);
    put_shared(&all, build);
    zn_digest digest = zn_digest_of(zn_buf_bytes(&all));
    zn_buf_free(&all);
    return digest;
}

/* "read→map→write_jsonl", of all stages. */
static void put_operators(zn_buf *out, const zn_plan_build *build, const char *writer) {
    zn_buf names = { 0 };
    for (size_t i = 0; i < build->plan->stage_count && names.len < ZN_NAME_BYTES_MAX; i++) {
        zn_buf_printf(&names, "%s→", build->plan->stages[i].name);
    }
    zn_buf_append(&names, build->draft.name.data, build->draft.name.len);
    zn_buf_printf(&names, "→%s", writer);
    char cut[ZN_ERROR_TEXT_BYTES_MAX];
    zn_error_copy(cut, sizeof cut, (const char *)names.data, names.len);
    zn_put_text(out, cut);
    zn_buf_free(&names);
}

static zonda_err put_inputs(zn_buf *out, const zn_plan_build *build, zonda_error *error) {
    const zn_paths *inputs = &build->inputs;
    zn_put_array(out, (uint32_t)inputs->count);
    for (size_t i = 0; i < inputs->count; i++) {
        zn_file_info info = { 0 };
        zonda_err err = build->files->info == NULL
                            ? ZONDA_OK
                            : build->files->info(inputs->items[i], &info, error);
        if (err != ZONDA_OK) {
            return err;
        }
        zn_put_array(out, 3);
        zn_put_text(out, inputs->items[i]);
        zn_put_uint(out, info.bytes);
        zn_put_int(out, info.modified_ns);
    }
    return ZONDA_OK;
}

/* Adds the document of the manifest to the plan and names it in `planned`. */
static zonda_err plan_manifest(zn_plan_build *build, const char *writer, int level, zn_buf *planned,
                               zonda_error *error) {
    zn_buf document = { 0 };
    zn_digest digest = digest_content(build, writer, level);
    zn_put_map(&document, 3);
    zn_put_text(&document, "operators");
    put_operators(&document, build, writer);
    zn_put_text(&document, "plan");
    zn_put_binary(&document, zn_digest_bytes(&digest));
    zn_put_text(&document, "inputs");
    zonda_err err = put_inputs(&document, build, error);
    if (err == ZONDA_OK) {
        err = zn_plan_add_blob(build, "the manifest", zn_buf_bytes(&document), &digest, error);
    }
    if (err == ZONDA_OK) {
        zn_put_map(planned, 1);
        zn_put_text(planned, "manifest");
        zn_put_binary(planned, zn_digest_bytes(&digest));
    }
    zn_buf_free(&document);
    return err;
}

zonda_err zn_plan_add_sink(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    zn_bytes args = zn_buf_bytes(&node->args);
    zn_sink_args sink;
    const char *writer = NULL;
    zonda_err err = zn_sink_args_read(node->op, args, build->draft.tasks, &sink, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_buf planned = { 0 };
    err = find_writer(node, sink.pattern, &writer, error);
    if (err == ZONDA_OK) {
        err = plan_manifest(build, writer, sink.level, &planned, error);
    }
    if (err == ZONDA_OK) {
        zn_plan_add_planned_op(build, writer, args, zn_buf_bytes(&planned), writer);
        build->draft.writes = true;
        build->draft.in_folder = build->draft.in_folder || sink.pattern[0] != '/';
    }
    zn_buf_free(&planned);
    zn_sink_args_free(&sink);
    return err;
}
