/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_AGGREGATE_FIELDS_H
#define ZN_OPS_AGGREGATE_FIELDS_H

#include "ops/aggregate_expr.h"

/* Finds the fields that expressions work on, all names in one pass over the record. */
typedef struct zn_aggregate_fields {
    zn_bytes *fields; /* names, then paths; each once */
    uint32_t names;
    uint32_t count;
    zn_bytes *values;   /* of the record at hand; no bytes: nil, or not there */
    uint32_t *of_exprs; /* which field an expression has; not of count() */
    uint32_t *of_sets;
} zn_aggregate_fields;

void zn_aggregate_fields_make(const zn_aggregate *aggregate, zn_aggregate_fields *out);
void zn_aggregate_fields_free(zn_aggregate_fields *fields);

/* Fills `values`, which are borrowed from the record, a map. */
void zn_aggregate_fields_find(zn_aggregate_fields *fields, zn_bytes record);

#endif
