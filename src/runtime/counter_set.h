/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_COUNTER_SET_H
#define ZN_RUNTIME_COUNTER_SET_H

#include <zonda/cluster.h>

#include "base/buf.h"

/* Counters by name, sorted. All zero is an empty set. */
typedef struct zn_counter_set {
    zonda_counter *items; /* names are owned */
    size_t count;
    size_t capacity;
} zn_counter_set;

/* Adds the values that `counter` stands for: sums and counts are added, min and max widened. Sums
 * and counts stop at the ends of their range. The name is copied. */
void zn_counter_set_add(zn_counter_set *set, zn_bytes name, const zonda_counter *counter);

/* Adds one value, cut to INT64_MAX. */
void zn_counter_set_add_value(zn_counter_set *set, const char *name, uint64_t value);

void zn_counter_set_free(zn_counter_set *set);

#endif
