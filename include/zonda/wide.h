/* SPDX-License-Identifier: MPL-2.0 */
/* Wide operators: those for which records of all shards have to meet. Data many times larger than
 * memory goes through; what does not fit is kept in the scratch folders of the workers. All take
 * and return datasets as those of zonda/dataset.h; options may be NULL. */
#ifndef ZONDA_WIDE_H
#define ZONDA_WIDE_H

#include <zonda/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What records are grouped, sorted or joined by. Made by the functions below; all zero: none. Keys
 * have one order: nil < false < true < numbers < strings < binary < arrays < maps; 1 equals 1.0. A
 * record without the field has the key nil. Texts are borrowed until the dataset call returns. */
typedef struct zonda_key {
    const char *field;
    const char *const *fields;
    size_t count; /* of `fields` */
    zonda_func function;
} zonda_key;

/* A field of the record, or a path "a.b". */
static inline zonda_key zonda_field(const char *name) {
    zonda_key key = { name, NULL, 0, { ZONDA_FUNC_NONE, NULL, NULL } };
    return key;
}

/* Several: the first decides, then the next. The key is the array of their values. */
static inline zonda_key zonda_fields(size_t count, const char *const *names) {
    zonda_key key = { NULL, names, count, { ZONDA_FUNC_NONE, NULL, NULL } };
    return key;
}

/* What a function of the record gives. */
static inline zonda_key zonda_key_fn(zonda_func function) {
    zonda_key key = { NULL, NULL, 0, function };
    return key;
}

typedef struct zonda_group_by_options {
    zonda_key sort_by;  /* order of the records in a group; none: that of the dataset */
    bool descending;    /* turns that order round; equal ones stay as they come */
    zonda_func combine; /* groups records before they are sent, on as many of a group as happen to
                           be there; gives records that `reduce` and itself can take again */
    uint64_t shards;    /* 0: as many as there are, at most 256 */
} zonda_group_by_options;

/* `reduce` gets each key with its records (a function with `group`, or a Lua block with `key`,
 * `rows` and `emit`), and gives any number of records. Groups come in the order of keys inside a
 * shard. */
ZONDA_API zonda_dataset *zonda_group_by(zonda_dataset *dataset, zonda_key key, zonda_func reduce,
                                        const zonda_group_by_options *options);

typedef struct zonda_deduplicate_options {
    uint64_t shards; /* 0: as many as there are, at most 256 */
} zonda_deduplicate_options;

/* The first record of each key, in the order of keys inside a shard. */
ZONDA_API zonda_dataset *zonda_deduplicate(zonda_dataset *dataset, zonda_key key,
                                           const zonda_deduplicate_options *options);

typedef struct zonda_sort_options {
    bool descending; /* equal ones stay as they come */
    uint64_t shards; /* 0: as many as there are, at most 256 */
} zonda_sort_options;

/* All records in one order, from the first shard to the last. Stable. */
ZONDA_API zonda_dataset *zonda_sort(zonda_dataset *dataset, zonda_key by,
                                    const zonda_sort_options *options);

/* The same records in the same order in `n` shards, 1 or more, of about as many bytes each. */
ZONDA_API zonda_dataset *zonda_reshard(zonda_dataset *dataset, uint64_t n);

typedef enum zonda_broadcast {
    ZONDA_BROADCAST_AUTO, /* if the right side is known to be small */
    ZONDA_BROADCAST_NEVER,
    ZONDA_BROADCAST_ALWAYS,
} zonda_broadcast;

typedef struct zonda_join_options {
    zonda_key on; /* the key of both sides; or those of each: */
    zonda_key left_on;
    zonda_key right_on;
    const char *how;    /* "inner", "left", "right", "full", "semi", "anti"; NULL: inner */
    const char *suffix; /* behind the name of a right field that the left record has; NULL: none */
    zonda_func combine; /* gets the left and the right record, nil where there is none, and gives
                           the record of the pair; none: the fields of both */
    zonda_broadcast broadcast; /* of the right side to all tasks of the left one */
    uint64_t shards;           /* 0: as many as the side with more of them has, at most 256 */
} zonda_join_options;

/* Pairs of records with equal keys. Keys with nil equal nothing. A field that both records have,
 * and that is no key of both, is an error unless there is a suffix or a function. Records come in
 * the order of keys inside a shard, or in the order of the left side if the right one is broadcast.
 * A dataset is joined with itself by zonda_join(zonda_dataset_share(ds), ds, …). */
ZONDA_API zonda_dataset *zonda_join(zonda_dataset *left, zonda_dataset *right,
                                    const zonda_join_options *options);

/* The same for two datasets with as many shards, each sorted by the key: shard i of one is joined
 * with shard i of the other. Records out of order are an error. It has no broadcast and no shards
 * of its own. */
ZONDA_API zonda_dataset *zonda_sorted_merge_join(zonda_dataset *left, zonda_dataset *right,
                                                 const zonda_join_options *options);

/* A field of the result of zonda_aggregate: its name, and what is computed, such as "sum(size)".
 * There are count(), count(f), sum(f), min(f), max(f), mean(f), first(f), last(f), list(f),
 * distinct(f) and quantile(f, q) with q from 0 to 1; f is a field or a path. All but count() pass
 * over nil and what is not there. */
typedef struct zonda_expr {
    const char *name;
    const char *expr;
} zonda_expr;

typedef struct zonda_aggregate_options {
    zonda_key by;    /* what records of a group have in common; none: all are one group */
    uint64_t shards; /* of groups; 0: as many as there are, at most 256 */
} zonda_aggregate_options;

/* One record per group: the fields of its key ("key" for a function), then the `count` expressions
 * in the order given. Groups come in the order of keys inside a shard. Without `by` one record,
 * also of nothing. */
ZONDA_API zonda_dataset *zonda_aggregate(zonda_dataset *dataset, const zonda_expr *exprs,
                                         size_t count, const zonda_aggregate_options *options);

#ifdef __cplusplus
}
#endif
#endif
