/* SPDX-License-Identifier: MPL-2.0 */
/* The public functions of wide operators; as those of dataset_api.c they only write arguments. */
#include <zonda/wide.h>

#include "plan/arguments.h"
#include "record/value.h"
#include "wire/text.h"

static void put_shards(zn_arguments *args, uint64_t shards) {
    if (shards > 0) {
        zn_arguments_uint(args, "shards", shards);
    }
}

static void put_descending(zn_arguments *args, bool descending) {
    if (descending) {
        zn_arguments_bool(args, "descending", true);
    }
}

zonda_dataset *zonda_group_by(zonda_dataset *dataset, zonda_key key, zonda_func reduce,
                              const zonda_group_by_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_key(&args, "key", key);
    zn_arguments_function(&args, "reduce", reduce);
    if (options != NULL) {
        zn_arguments_key_if_given(&args, "sort_by", options->sort_by);
        put_descending(&args, options->descending);
        if (options->combine.kind != ZONDA_FUNC_NONE) {
            zn_arguments_function(&args, "combine", options->combine);
        }
        put_shards(&args, options->shards);
    }
    return zn_arguments_apply(&args, "group_by", &dataset, 1);
}

zonda_dataset *zonda_deduplicate(zonda_dataset *dataset, zonda_key key,
                                 const zonda_deduplicate_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_key(&args, "key", key);
    put_shards(&args, options == NULL ? 0 : options->shards);
    return zn_arguments_apply(&args, "deduplicate", &dataset, 1);
}

zonda_dataset *zonda_sort(zonda_dataset *dataset, zonda_key by, const zonda_sort_options *options) {
    zn_arguments args = { 0 };
    zn_arguments_key(&args, "by", by);
    if (options != NULL) {
        put_descending(&args, options->descending);
        put_shards(&args, options->shards);
    }
    return zn_arguments_apply(&args, "sort", &dataset, 1);
}

zonda_dataset *zonda_reshard(zonda_dataset *dataset, uint64_t n) {
    zn_arguments args = { 0 };
    zn_arguments_uint(&args, "n", n);
    return zn_arguments_apply(&args, "reshard", &dataset, 1);
}

static void put_join_options(zn_arguments *args, const zonda_join_options *options) {
    zn_arguments_key_if_given(args, "on", options->on);
    zn_arguments_key_if_given(args, "left_on", options->left_on);
    zn_arguments_key_if_given(args, "right_on", options->right_on);
    if (options->how != NULL) {
        zn_arguments_text(args, "how", options->how);
    }
    if (options->suffix != NULL) {
        zn_arguments_text(args, "suffix", options->suffix);
    }
    if (options->combine.kind != ZONDA_FUNC_NONE) {
        zn_arguments_function(args, "combine", options->combine);
    }
    if (options->broadcast != ZONDA_BROADCAST_AUTO) {
        zn_arguments_bool(args, "broadcast", options->broadcast == ZONDA_BROADCAST_ALWAYS);
    }
    put_shards(args, options->shards);
}

static zonda_dataset *apply_join(const char *op, zonda_dataset *left, zonda_dataset *right,
                                 const zonda_join_options *options) {
    zn_arguments args = { 0 };
    zonda_dataset *inputs[2] = { left, right };
    if (options != NULL) {
        put_join_options(&args, options);
    }
    return zn_arguments_apply(&args, op, inputs, 2);
}

zonda_dataset *zonda_join(zonda_dataset *left, zonda_dataset *right,
                          const zonda_join_options *options) {
    return apply_join("join", left, right, options);
}

zonda_dataset *zonda_sorted_merge_join(zonda_dataset *left, zonda_dataset *right,
                                       const zonda_join_options *options) {
    return apply_join("sorted_merge_join", left, right, options);
}

static void put_exprs(zn_arguments *args, const zonda_expr *exprs, size_t count) {
    zonda_error error;
    zn_buf map = { 0 };
    zn_put_map(&map, exprs == NULL ? 0 : (uint32_t)count);
    for (size_t i = 0; exprs != NULL && i < count; i++) {
        const char *const texts[] = { exprs[i].name, exprs[i].expr };
        for (size_t j = 0; j < 2; j++) {
            if (texts[j] == NULL || !zn_text_is_valid(zn_bytes_of_text(texts[j]))) {
                zn_error_set(&error, ZONDA_ERR_INVALID,
                             "expression %zu of aggregate has a text that is NULL or not UTF-8", i);
                zn_arguments_fail(args, &error);
                zn_buf_free(&map);
                return;
            }
            zn_put_text(&map, texts[j]);
        }
    }
    zn_arguments_value(args, "exprs", zn_buf_bytes(&map));
    zn_buf_free(&map);
}

zonda_dataset *zonda_aggregate(zonda_dataset *dataset, const zonda_expr *exprs, size_t count,
                               const zonda_aggregate_options *options) {
    zn_arguments args = { 0 };
    put_exprs(&args, exprs, count);
    if (options != NULL) {
        zn_arguments_key_if_given(&args, "by", options->by);
        put_shards(&args, options->shards);
    }
    return zn_arguments_apply(&args, "aggregate", &dataset, 1);
}
