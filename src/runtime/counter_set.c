/* SPDX-License-Identifier: MPL-2.0 */
/* The counters of an execution, merged over its stages. Kept sorted, because the result shows them
 * in that order; there are few, so inserting into an array is fine. */
#include "runtime/counter_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int compare(const char *name, zn_bytes other) {
    size_t len = strlen(name);
    size_t shorter = len < other.len ? len : other.len;
    int order = shorter == 0 ? 0 : memcmp(name, other.data, shorter);
    return order != 0 ? order : (len > other.len) - (len < other.len);
}

/* Where a name is or belongs; `*found` says which. */
static size_t find(const zn_counter_set *set, zn_bytes name, bool *found) {
    size_t low = 0;
    size_t high = set->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = compare(set->items[middle].name, name);
        if (order == 0) {
            *found = true;
            low = middle;
        } else if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void insert(zn_counter_set *set, size_t at, zn_bytes name, const zonda_counter *counter) {
    ZN_GROW(set->items, set->count, set->capacity);
    memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof *set->items);
    set->items[at] = *counter;
    set->items[at].name = zn_strndup((const char *)name.data, name.len);
    set->count++;
}

void zn_counter_set_add(zn_counter_set *set, zn_bytes name, const zonda_counter *counter) {
    bool found = false;
    size_t at = find(set, name, &found);
    if (!found) {
        insert(set, at, name, counter);
        return;
    }
    zonda_counter *old = &set->items[at];
    if (__builtin_add_overflow(old->sum, counter->sum, &old->sum)) {
        old->sum = counter->sum < 0 ? INT64_MIN : INT64_MAX;
    }
    if (__builtin_add_overflow(old->count, counter->count, &old->count)) {
        old->count = UINT64_MAX;
    }
    old->min = counter->min < old->min ? counter->min : old->min;
    old->max = counter->max > old->max ? counter->max : old->max;
}

void zn_counter_set_add_value(zn_counter_set *set, const char *name, uint64_t value) {
    int64_t number = value > INT64_MAX ? INT64_MAX : (int64_t)value;
    zonda_counter counter = { .sum = number, .min = number, .max = number, .count = 1 };
    zn_counter_set_add(set, zn_bytes_of_text(name), &counter);
}

void zn_counter_set_free(zn_counter_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        free((char *)(uintptr_t)set->items[i].name);
    }
    free(set->items);
    *set = (zn_counter_set){ 0 };
}
