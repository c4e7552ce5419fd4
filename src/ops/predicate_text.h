/* SPDX-License-Identifier: MPL-2.0 */
/* The parts that predicates are made of, between predicate_text.c, which reads them, and
 * predicate.c, which works with them. */
#ifndef ZN_OPS_PREDICATE_TEXT_H
#define ZN_OPS_PREDICATE_TEXT_H

#include "record/value.h"

enum {
    ZN_PREDICATE_NODES_MAX = 64,
    ZN_PREDICATE_NAMES_MAX = 16,
    ZN_PREDICATE_DEPTH_MAX = 32,
    ZN_PREDICATE_RECORD = ZN_PREDICATE_NAMES_MAX, /* in place of the index of a name: `r` */
};

typedef enum zn_node_kind {
    ZN_NODE_OR,
    ZN_NODE_AND,
    ZN_NODE_NOT,      /* of left */
    ZN_NODE_FIELD,    /* its truth */
    ZN_NODE_CONSTANT, /* likewise */
    ZN_NODE_EQUAL,    /* and those below: a field and a constant */
    ZN_NODE_UNEQUAL,
    ZN_NODE_LESS,
    ZN_NODE_LESS_EQUAL,
    ZN_NODE_GREATER,
    ZN_NODE_GREATER_EQUAL,
    ZN_NODE_FIND, /* whether the constant, a text, stands in a field */
} zn_node_kind;

typedef struct zn_node {
    zn_node_kind kind;
    size_t left; /* index of a node */
    size_t right;
    size_t field; /* index of a name, or RECORD */
    bool is_nil;  /* the constant is, else it is: */
    zn_value constant;
} zn_node;

typedef struct zn_predicate_parts {
    zn_node nodes[ZN_PREDICATE_NODES_MAX];
    size_t node_count;
    size_t root;
    zn_bytes names[ZN_PREDICATE_NAMES_MAX];
    bool bare[ZN_PREDICATE_NAMES_MAX]; /* written without `r` somewhere */
    size_t name_count;
} zn_predicate_parts;

/* False if the text is not of the form that predicate.h says. Borrows it. */
bool zn_predicate_parse(zn_bytes text, zn_predicate_parts *out);

#endif
