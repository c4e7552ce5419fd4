/* SPDX-License-Identifier: MPL-2.0 */
/* The user counters of a stage, by name. There are few names and many tasks, so a sorted array with
 * binary search serves. Numbers come from user code on workers: they saturate instead of wrapping,
 * and names beyond the limit are dropped and counted. */
#include "coordinator/counter_totals.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int compare_names(zn_bytes a, zn_bytes b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static size_t find_name(const zn_counter_totals *totals, zn_bytes name, bool *found) {
    size_t low = 0;
    size_t high = totals->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(totals->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < totals->count && compare_names(totals->items[low].name, name) == 0;
    return low;
}

static int64_t add_saturating(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum;
}

static int64_t multiply_saturating(int64_t a, uint64_t times) {
    int64_t product;
    if (times > INT64_MAX || __builtin_mul_overflow(a, (int64_t)times, &product)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return product;
}

static zn_counter *find_or_add(zn_counter_totals *totals, const zn_counter *counter) {
    bool found;
    size_t at = find_name(totals, counter->name, &found);
    if (found) {
        return &totals->items[at];
    }
    if (totals->count >= ZN_COUNTER_NAMES_MAX) {
        totals->dropped++;
        return NULL;
    }
    ZN_GROW(totals->items, totals->count, totals->capacity);
    memmove(&totals->items[at + 1], &totals->items[at],
            (totals->count - at) * sizeof(totals->items[0]));
    totals->count++;
    totals->items[at] = (zn_counter){ .min = INT64_MAX, .max = INT64_MIN };
    totals->items[at].name.data = zn_memdup(counter->name.data, counter->name.len);
    totals->items[at].name.len = counter->name.len;
    return &totals->items[at];
}

void zn_counter_totals_add(zn_counter_totals *totals, const zn_counter *counters, size_t count,
                           uint64_t times) {
    for (size_t i = 0; i < count; i++) {
        zn_counter *total = find_or_add(totals, &counters[i]);
        if (total != NULL) {
            total->sum = add_saturating(total->sum, multiply_saturating(counters[i].sum, times));
            total->min = counters[i].min < total->min ? counters[i].min : total->min;
            total->max = counters[i].max > total->max ? counters[i].max : total->max;
            total->count += counters[i].count * times;
        }
    }
}

void zn_counter_totals_subtract(zn_counter_totals *totals, const zn_counter *counters, size_t count,
                                uint64_t times) {
    for (size_t i = 0; i < count; i++) {
        bool found;
        size_t at = find_name(totals, counters[i].name, &found);
        if (found) {
            zn_counter *total = &totals->items[at];
            int64_t taken = multiply_saturating(counters[i].sum, times);
            total->sum = add_saturating(total->sum, taken == INT64_MIN ? INT64_MAX : -taken);
            total->count -= counters[i].count * times;
        }
    }
}

void zn_counter_totals_free(zn_counter_totals *totals) {
    for (size_t i = 0; i < totals->count; i++) {
        free((void *)(uintptr_t)totals->items[i].name.data);
    }
    free(totals->items);
    *totals = (zn_counter_totals){ 0 };
}
