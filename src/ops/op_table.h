/* SPDX-License-Identifier: MPL-2.0 */
/* The table of operators: their names, arguments and classes. C, Lua and command line are three
 * faces of it. Adding an operator is one line in op_list.h and one file. */
#ifndef ZN_OPS_OP_TABLE_H
#define ZN_OPS_OP_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

typedef enum zn_op_class {
    ZN_OP_SOURCE, /* begins a dataset */
    ZN_OP_NARROW, /* fuses into the stage of its input */
    ZN_OP_WIDE,   /* ends a stage with a shuffle; what follows begins another one */
    ZN_OP_FOLD,   /* ends a stage; the planner makes another of one task */
    ZN_OP_SINK,   /* writes a file per shard; its records are the paths */
    ZN_OP_INNER,  /* made by the planner only: halves of folds, the "stage" source */
} zn_op_class;

typedef enum zn_arg_type {
    ZN_ARG_UINT,
    ZN_ARG_BOOL,
    ZN_ARG_TEXT,
    ZN_ARG_TEXTS,    /* list of at least one text; takes all remaining positional words */
    ZN_ARG_VALUE,    /* any value */
    ZN_ARG_VALUES,   /* list of any values; takes all remaining positional words */
    ZN_ARG_FUNCTION, /* map {kind, …}: see function.h */
    ZN_ARG_NUMBER,   /* integer or fraction from 0 to `max` */
    ZN_ARG_NAMES, /* map of texts to texts, at least one pair, no text twice on either side; on the
                     command line all remaining positional words, each KEY=VALUE */
    ZN_ARG_COMMAND, /* text, or list of words of which the first is not empty; on the command line
                       one word is the text, several are the list, as are all behind -- */
    ZN_ARG_KEY,    /* text (a field), list of texts, or a function; see key_source.h. On the command
                      line names joined by commas, or else an expression */
    ZN_ARG_EXPRS,  /* map of texts to texts, at least one pair, no name twice; on the command line
                      NAME=TEXT, joined by commas outside of brackets and quotes, or more words */
    ZN_ARG_SWITCH, /* true, false or a text; on the command line --name or --name=TEXT */
} zn_arg_type;

typedef enum zn_arg_use {
    ZN_ARG_POSITIONAL, /* by place, required */
    ZN_ARG_OPTIONAL,   /* by place, may be missing; also by name */
    ZN_ARG_OPTION,     /* by name: --name VALUE, {name = value} */
} zn_arg_use;

typedef struct zn_arg_def {
    const char *name;
    zn_arg_type type;
    zn_arg_use use;
    bool block;          /* FUNCTION on the command line: a block with `emit`, not an expression */
    const char *choices; /* TEXT: "one, two, three" if it must be one of them */
    uint64_t min;        /* UINT: smallest value */
    uint64_t max;        /* UINT, NUMBER: largest value */
    bool pair;           /* FUNCTION: gives two values */
    bool leads;          /* OPTION: in Lua it may also stand before all arguments by place */
    const char *doc;
} zn_arg_def;

typedef struct zn_op_runtime zn_op_runtime;

typedef struct zn_op_def {
    const char *name; /* "flat_map"; the command line writes "flat-map" */
    zn_op_class op_class;
    const zn_arg_def *args;
    size_t arg_count;
    const zn_op_runtime *runtime; /* NULL: the planner turns it into others */
    /* What types and ranges do not say; gets arguments that have passed them. May be NULL. */
    zonda_err (*check)(const struct zn_op_def *op, zn_bytes args, zonda_error *error);
    bool many_inputs; /* works on two datasets or more */
    bool two_inputs;  /* works on two datasets */
    bool in_folder;   /* works with the driver's current folder */
    const char *doc;
} zn_op_def;

/* All operators, in the order of the reference. */
const zn_op_def *const *zn_op_table(size_t *count);

/* By name; dashes count as underscores. NULL if there is none. */
const zn_op_def *zn_op_find(zn_bytes name);

/* As zn_op_find, with an error that lists the operators a user may write. Error: PLAN. */
const zn_op_def *zn_op_find_user(zn_bytes name, zonda_error *error);

/* The name that the user wrote: "reduce" for its inner halves. */
zn_bytes zn_op_user_name(const zn_op_def *op);

const zn_arg_def *zn_op_arg(const zn_op_def *op, zn_bytes name);

/* Whether the value of the argument may be a function. */
static inline bool zn_arg_takes_function(const zn_arg_def *arg) {
    return arg->type == ZN_ARG_FUNCTION || arg->type == ZN_ARG_KEY;
}

/* Checks a MessagePack map {argument name: value} against the operator: unknown names (the error
 * lists the known ones), missing ones, types, ranges. Error: PLAN. */
zonda_err zn_op_check_args(const zn_op_def *op, zn_bytes args, zonda_error *error);

#endif
