/* SPDX-License-Identifier: MPL-2.0 */
/* Datasets as trees of nodes. A node is immutable once it is made, so handles are counted
 * references and sharing costs nothing. All three faces (C, Lua, command line) come here with an
 * operator name and a map of arguments; the operator table says what is allowed, and the first
 * thing that is wrong in a chain stays in it until somebody executes or explains it.
 *
 * Chains may be long, so nothing here recurses along them. */
#include "plan/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "record/value.h"
#ifdef ZN_HAVE_LUA
#include "ops/lua_check.h"
#endif

static zonda_dataset *new_node(void) {
    zonda_dataset *node = ZN_NEW(zonda_dataset);
    node->references = 1;
    return node;
}

zonda_dataset *zn_dataset_failed(const zonda_error *error) {
    ZN_ASSERT(error->code != ZONDA_OK);
    zonda_dataset *node = new_node();
    node->error = *error;
    return node;
}

/* How many datasets an operator works on; for those that work on many the smallest number. */
static size_t inputs_wanted(const zn_op_def *op) {
    return op->op_class == ZN_OP_SOURCE ? 0 : op->many_inputs || op->two_inputs ? 2 : 1;
}

static zonda_err check_inputs(const zn_op_def *op, zonda_dataset *const *inputs, size_t input_count,
                              zonda_error *error) {
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i] == NULL) {
            return zn_error_set(error, ZONDA_ERR_INVALID, "%s got NULL for a dataset", op->name);
        }
    }
    size_t wanted = inputs_wanted(op);
    if (input_count < wanted || (input_count > wanted && !op->many_inputs)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s works on %zu datasets%s, not on %zu",
                            op->name, wanted, op->many_inputs ? " or more" : "", input_count);
    }
    return ZONDA_OK;
}

#ifdef ZN_HAVE_LUA
/* Texts are compiled once here, so that a mistake in them is found when the chain is built. */
static zonda_err check_lua(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < op->arg_count && err == ZONDA_OK; i++) {
        zn_bytes function = { 0 };
        zn_bytes kind = { 0 };
        zn_bytes text = { 0 };
        bool given = zn_arg_takes_function(&op->args[i]) &&
                     zn_value_field(args, zn_bytes_of_text(op->args[i].name), &function) &&
                     zn_value_field_text(function, "kind", &kind) &&
                     zn_value_field_text(function, "text", &text);
        if (given) {
            bool is_block = zn_bytes_equal(kind, zn_bytes_of_text("lua-block"));
            err = zn_lua_check(op->name, is_block, op->args[i].pair, text, error);
        }
    }
    return err;
}
#else
static zonda_err check_lua(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    (void)op;
    (void)args;
    (void)error;
    return ZONDA_OK;
}
#endif

static zonda_err fill(zonda_dataset *node, const char *name, zn_bytes args,
                      zonda_dataset *const *inputs, size_t input_count, zonda_error *error) {
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i] != NULL && inputs[i]->error.code != ZONDA_OK) {
            *error = inputs[i]->error;
            return error->code;
        }
    }
    const zn_op_def *op = zn_op_find_user(zn_bytes_of_text(name), error);
    if (op == NULL) {
        return error->code;
    }
    zonda_err err = check_inputs(op, inputs, input_count, error);
    if (err != ZONDA_OK) {
        return err;
    }
    err = zn_op_check_args(op, args, error);
    if (err == ZONDA_OK) {
        err = check_lua(op, args, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    node->op = op;
    zn_buf_append(&node->args, args.data, args.len);
    return ZONDA_OK;
}

zonda_dataset *zn_dataset_apply(const char *op, zn_bytes args, zonda_dataset **inputs,
                                size_t input_count) {
    return zn_dataset_apply_script(op, args, inputs, input_count, (zn_bytes){ 0 });
}

zonda_dataset *zn_dataset_apply_script(const char *op, zn_bytes args, zonda_dataset **inputs,
                                       size_t input_count, zn_bytes script) {
    zonda_dataset *node = new_node();
    zonda_error error = { 0 };
    if (fill(node, op, args, inputs, input_count, &error) != ZONDA_OK) {
        node->error = error;
        for (size_t i = 0; i < input_count; i++) {
            zonda_dataset_destroy(&inputs[i]);
        }
        return node;
    }
    zn_buf_append(&node->script, script.data, script.len);
    if (input_count > 0) {
        node->inputs = zn_calloc(input_count, sizeof *node->inputs);
        memcpy(node->inputs, inputs, input_count * sizeof *inputs);
        node->input_count = input_count;
    }
    return node;
}

/* The plug-in of the function in argument `arg`; false if it is none of a plug-in. */
static bool find_plugin(zn_bytes args, const char *arg, zn_digest *digest) {
    zn_bytes function = { 0 };
    zn_bytes bytes = { 0 };
    return zn_value_field(args, zn_bytes_of_text(arg), &function) &&
           zn_value_field(function, zn_bytes_of_text("plugin"), &bytes) &&
           zn_digest_from_bytes(zn_value_head(bytes).bytes, digest);
}

static void attach(zonda_dataset *dataset, const zonda_plugin *plugin) {
    dataset->plugins =
        zn_realloc(dataset->plugins, dataset->plugin_count + 1, sizeof *dataset->plugins);
    dataset->plugins[dataset->plugin_count++] = zn_plugin_file_share(plugin);
}

void zn_dataset_attach_plugins(zonda_dataset *dataset, const zonda_plugin *const *plugins,
                               size_t count) {
    for (size_t i = 0; dataset->error.code == ZONDA_OK && i < dataset->op->arg_count; i++) {
        zn_digest digest;
        const zn_arg_def *arg = &dataset->op->args[i];
        if (!zn_arg_takes_function(arg) ||
            !find_plugin(zn_buf_bytes(&dataset->args), arg->name, &digest)) {
            continue;
        }
        size_t at = 0;
        while (at < count && !zn_digest_equal(plugins[at]->digest, digest)) {
            at++;
        }
        if (at < count) {
            attach(dataset, plugins[at]);
        } else {
            zn_error_set(&dataset->error, ZONDA_ERR_PLAN,
                         "argument %s of %s is a function of a plug-in that was not read",
                         arg->name, dataset->op->name);
        }
    }
}

zonda_dataset *zonda_dataset_share(zonda_dataset *dataset) {
    if (dataset == NULL) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_INVALID, "zonda_dataset_share got NULL for a dataset");
        return zn_dataset_failed(&error);
    }
    ZN_ASSERT(dataset->references < UINT32_MAX);
    dataset->references++;
    return dataset;
}

/* Nodes whose last reference is gone, waiting to be freed. */
typedef struct dead_nodes {
    zonda_dataset **items;
    size_t count;
    size_t capacity;
} dead_nodes;

static void release(dead_nodes *dead, zonda_dataset *node) {
    ZN_ASSERT(node->references > 0);
    node->references--;
    if (node->references == 0) {
        ZN_GROW(dead->items, dead->count, dead->capacity);
        dead->items[dead->count++] = node;
    }
}

void zonda_dataset_destroy(zonda_dataset **dataset) {
    if (dataset == NULL || *dataset == NULL) {
        return;
    }
    dead_nodes dead = { 0 };
    release(&dead, *dataset);
    *dataset = NULL;
    while (dead.count > 0) {
        zonda_dataset *node = dead.items[--dead.count];
        for (size_t i = 0; i < node->input_count; i++) {
            release(&dead, node->inputs[i]);
        }
        zn_buf_free(&node->args);
        zn_buf_free(&node->script);
        for (size_t i = 0; i < node->plugin_count; i++) {
            zonda_plugin_close(&node->plugins[i]);
        }
        free(node->plugins);
        free(node->inputs);
        free(node);
    }
    free(dead.items);
}
