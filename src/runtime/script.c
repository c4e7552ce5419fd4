/* SPDX-License-Identifier: MPL-2.0 */
/* From the calls that a pipeline script made to datasets. Nodes of the script become nodes of
 * datasets one for one; a node that the script used twice is shared. Nodes with functions carry the
 * script itself, because slots find those functions by evaluating it again. */
#include "runtime/script.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "plan/dataset.h"

static bool takes_function(const zn_op_def *op) {
    for (size_t i = 0; i < op->arg_count; i++) {
        if (zn_arg_takes_function(&op->args[i])) {
            return true;
        }
    }
    return false;
}

/* The dataset of a node; those of the nodes before it are in `made`. */
static zonda_dataset *make_node(const zn_script_node *node, zn_bytes blob,
                                const zn_plugin_list *plugins, zonda_dataset **made) {
    zonda_dataset **inputs = zn_calloc(node->input_count + 1, sizeof(*inputs));
    for (size_t i = 0; i < node->input_count; i++) {
        inputs[i] = zonda_dataset_share(made[node->inputs[i]]);
    }
    const zn_op_def *op = zn_op_find(zn_bytes_of_text(node->op));
    zn_bytes script = op != NULL && takes_function(op) ? blob : (zn_bytes){ 0 };
    zonda_dataset *dataset =
        zn_dataset_apply_script(node->op, node->args, inputs, node->input_count, script);
    free(inputs);
    zn_dataset_attach_plugins(dataset,
                              plugins == NULL ? NULL : (const zonda_plugin *const *)plugins->items,
                              plugins == NULL ? 0 : plugins->count);
    return dataset;
}

zonda_err zn_script_datasets(const zn_lua_script *script, const zn_plugin_list *plugins,
                             zonda_dataset ***out, size_t *count, zonda_error *error) {
    size_t output_count = 0;
    const size_t *outputs = zn_lua_script_outputs(script, &output_count);
    if (output_count == 0) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "the script returned no dataset");
    }
    zn_digest digest;
    zn_bytes blob = zn_lua_script_blob(script, &digest);
    size_t node_count = 0;
    const zn_script_node *nodes = zn_lua_script_nodes(script, &node_count);
    zonda_dataset **made = zn_calloc(node_count + 1, sizeof(*made));
    for (size_t i = 0; i < node_count; i++) {
        made[i] = make_node(&nodes[i], blob, plugins, made);
    }
    zonda_dataset **datasets = zn_calloc(output_count, sizeof(*datasets));
    for (size_t i = 0; i < output_count; i++) {
        ZN_ASSERT(outputs[i] < node_count);
        datasets[i] = zonda_dataset_share(made[outputs[i]]);
    }
    for (size_t i = 0; i < node_count; i++) {
        zonda_dataset_destroy(&made[i]);
    }
    free(made);
    *out = datasets;
    *count = output_count;
    return ZONDA_OK;
}
