/* SPDX-License-Identifier: MPL-2.0 */
/* Calls of the public functions of wide operators; see chain.c. */
#include <zonda/wide.h>

#include "chain_step.h"
#include "record/value.h"

enum {
    KEY_FIELDS_MAX = 8,
    EXPRS_MAX = 16
};

/* A text is a field, a list several, anything else a function. `fields` is where names are kept. */
static zonda_key to_key(step *self, zn_bytes value, const char *fields[KEY_FIELDS_MAX]) {
    zn_value head = zn_value_head(value);
    if (head.type == ZN_VALUE_STRING) {
        return zonda_field(chain_keep_text(self, value));
    }
    if (head.type != ZN_VALUE_ARRAY) {
        return zonda_key_fn(chain_function(self, value));
    }
    if (head.count > KEY_FIELDS_MAX) {
        chain_give_up("at most %d fields", KEY_FIELDS_MAX);
    }
    zn_cursor cursor = zn_cursor_of(value);
    zn_cursor_read(&cursor);
    for (uint32_t i = 0; i < head.count; i++) {
        fields[i] = chain_keep_text(self, zn_cursor_skip(&cursor));
    }
    return zonda_fields(head.count, fields);
}

static zonda_key option_key(step *self, const char *name, const char *fields[KEY_FIELDS_MAX]) {
    zn_bytes value;
    return chain_take_option(self, name, &value) ? to_key(self, value, fields) : (zonda_key){ 0 };
}

static zonda_func option_function(step *self, const char *name) {
    zn_bytes value;
    return chain_take_option(self, name, &value) ? chain_function(self, value) : (zonda_func){ 0 };
}

static zonda_dataset *build_group_by(step *self) {
    const char *key[KEY_FIELDS_MAX];
    const char *sort_by[KEY_FIELDS_MAX];
    zonda_group_by_options options = { .sort_by = option_key(self, "sort_by", sort_by),
                                       .descending = chain_option_bool(self, "descending"),
                                       .combine = option_function(self, "combine"),
                                       .shards = chain_option_uint(self, "shards") };
    return zonda_group_by(self->input, to_key(self, chain_arg(self, 0), key),
                          option_function(self, "reduce"), &options);
}

static zonda_dataset *build_deduplicate(step *self) {
    const char *key[KEY_FIELDS_MAX];
    zonda_deduplicate_options options = { .shards = chain_option_uint(self, "shards") };
    return zonda_deduplicate(self->input, to_key(self, chain_arg(self, 0), key), &options);
}

static zonda_dataset *build_sort(step *self) {
    const char *by[KEY_FIELDS_MAX];
    zonda_sort_options options = { .descending = chain_option_bool(self, "descending"),
                                   .shards = chain_option_uint(self, "shards") };
    return zonda_sort(self->input, to_key(self, chain_arg(self, 0), by), &options);
}

static zonda_dataset *build_reshard(step *self) {
    return zonda_reshard(self->input, chain_arg_uint(self, 0));
}

/* Both sides' keys of a join, and all its options. */
typedef struct join_keys {
    const char *on[KEY_FIELDS_MAX];
    const char *left_on[KEY_FIELDS_MAX];
    const char *right_on[KEY_FIELDS_MAX];
} join_keys;

static zonda_join_options join_options(step *self, join_keys *keys) {
    return (zonda_join_options){ .on = option_key(self, "on", keys->on),
                                 .left_on = option_key(self, "left_on", keys->left_on),
                                 .right_on = option_key(self, "right_on", keys->right_on),
                                 .how = chain_option_text(self, "how"),
                                 .suffix = chain_option_text(self, "suffix"),
                                 .combine = option_function(self, "combine") };
}

static zonda_dataset *build_join(step *self) {
    join_keys keys;
    zn_bytes broadcast;
    zonda_join_options options = join_options(self, &keys);
    options.shards = chain_option_uint(self, "shards");
    if (chain_take_option(self, "broadcast", &broadcast)) {
        options.broadcast =
            zn_value_head(broadcast).boolean ? ZONDA_BROADCAST_ALWAYS : ZONDA_BROADCAST_NEVER;
    }
    return zonda_join(self->input, chain_arg_dataset(self, 0), &options);
}

static zonda_dataset *build_sorted_merge_join(step *self) {
    join_keys keys;
    zonda_join_options options = join_options(self, &keys);
    return zonda_sorted_merge_join(self->input, chain_arg_dataset(self, 0), &options);
}

static zonda_dataset *build_aggregate(step *self) {
    const char *by[KEY_FIELDS_MAX];
    zonda_expr exprs[EXPRS_MAX];
    zonda_aggregate_options options = { .by = option_key(self, "by", by),
                                        .shards = chain_option_uint(self, "shards") };
    zn_cursor cursor = zn_cursor_of(chain_arg(self, 0));
    uint32_t count = zn_cursor_read(&cursor).count;
    if (count > EXPRS_MAX) {
        chain_give_up("at most %d expressions", EXPRS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        exprs[i].name = chain_keep_text(self, zn_cursor_skip(&cursor));
        exprs[i].expr = chain_keep_text(self, zn_cursor_skip(&cursor));
    }
    return zonda_aggregate(self->input, exprs, count, &options);
}

static const struct {
    const char *op;
    chain_build_step *build;
} builders[] = {
    { "group_by", build_group_by },   { "deduplicate", build_deduplicate },
    { "sort", build_sort },           { "reshard", build_reshard },
    { "join", build_join },           { "sorted_merge_join", build_sorted_merge_join },
    { "aggregate", build_aggregate },
};

chain_build_step *chain_find_wide(zn_bytes op) {
    for (size_t i = 0; i < sizeof builders / sizeof builders[0]; i++) {
        if (zn_bytes_equal(op, zn_bytes_of_text(builders[i].op))) {
            return builders[i].build;
        }
    }
    return NULL;
}
