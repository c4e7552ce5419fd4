/* SPDX-License-Identifier: MPL-2.0 */
/* Random values and the plain meaning of their order, to hold keys against. */
#ifndef ZN_TESTS_KEY_MODEL_H
#define ZN_TESTS_KEY_MODEL_H

#include "record/value.h"

typedef struct tree {
    zn_value_type type;
    bool truth;
    bool is_double; /* of numbers, which are all of type INT here */
    double fraction;
    __int128 integer;
    zn_buf bytes;
    struct tree *items; /* of a map key, value, key, value, … in the order of writing */
    uint32_t count;     /* of items */
} tree;

uint64_t tree_random(uint64_t *seed);

/* A value of up to `depth` levels. */
tree tree_make(uint64_t *seed, unsigned depth);
void tree_free(tree *value);

/* Appends it as MessagePack. */
void tree_put(const tree *value, zn_buf *out);

/* < 0, 0, > 0. */
int tree_compare(const tree *a, const tree *b);

#endif
