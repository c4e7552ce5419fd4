/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_FIELDS_READ_H
#define ZN_OPS_FIELDS_READ_H

#include "ops/op.h"

enum {
    ZN_FIELDS_READ_MAX = 32
};

/* Names of top-level fields; borrowed from arguments of operators. */
typedef struct zn_field_names {
    zn_bytes names[ZN_FIELDS_READ_MAX];
    size_t count;
} zn_field_names;

/* What an operator does with the fields of a record, whatever the record is. */
typedef enum zn_field_use {
    ZN_FIELDS_ALL,    /* it may read any of them */
    ZN_FIELDS_PASSED, /* it reads those named, and gives the record on as it is */
    ZN_FIELDS_TAKEN,  /* it reads those named, and gives nothing else of the record on */
} zn_field_use;

/* Adds the fields that an operator with these arguments reads; ALL also if they are too many. */
zn_field_use zn_fields_of_op(const zn_op_def *def, zn_bytes args, zn_field_names *out);

/* The fields that are read of records which are given to `op`. False: any may be. */
bool zn_fields_read(const zn_op *op, zn_field_names *out);

/* Adds a name once; false if there are too many. */
bool zn_field_names_add(zn_field_names *names, zn_bytes name);

#endif
