/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_COUNTER_TOTALS_H
#define ZN_COORDINATOR_COUNTER_TOTALS_H

#include "wire/message.h"

enum {
    ZN_COUNTER_NAMES_MAX = 4096
}; /* what one STATUS can carry */

/* User counters by name, summed up over tasks. The names are owned. All zero is valid, empty. */
typedef struct zn_counter_totals {
    zn_counter *items; /* ascending by name */
    size_t count;
    size_t capacity;
    uint64_t dropped; /* counters of names beyond the limit */
} zn_counter_totals;

/* Adds what each of `times` tasks counted. Sums stop at the ends of their range. */
void zn_counter_totals_add(zn_counter_totals *totals, const zn_counter *counters, size_t count,
                           uint64_t times);

/* Takes back what `times` tasks had added. Smallest and largest values stay: the tasks run again
 * and, being deterministic, count the same. */
void zn_counter_totals_subtract(zn_counter_totals *totals, const zn_counter *counters, size_t count,
                                uint64_t times);

void zn_counter_totals_free(zn_counter_totals *totals);

#endif
