/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: the segments that a table speaks of. */
#ifndef ZN_OPS_EXCHANGE_PLACES_H
#define ZN_OPS_EXCHANGE_PLACES_H

#include "store/result_place.h"

/* A segment and the worker that has it. */
typedef struct zn_exchange_place {
    uint64_t worker;
    zn_result_place at; /* without a stretch */
} zn_exchange_place;

/* Tasks of one slot share a segment, so there are far fewer of these than tasks. All zero is empty.
 */
typedef struct zn_exchange_places {
    zn_exchange_place *items;
    size_t count;
    size_t capacity;
    uint32_t *hash; /* index of an item + 1, 0: free */
    size_t hash_size;
} zn_exchange_places;

/* The index of the place where the reference of a result leads, which is added if it is new. */
uint32_t zn_exchange_places_add(zn_exchange_places *places, const zn_result *result,
                                const char *machine);

/* Appends a place as one value. */
void zn_exchange_place_put(zn_buf *out, const zn_exchange_place *place);

/* Reads such values into an empty list; false if they are something else. */
bool zn_exchange_places_take(zn_exchange_places *places, zn_bytes values);

void zn_exchange_places_free(zn_exchange_places *places);

#endif
