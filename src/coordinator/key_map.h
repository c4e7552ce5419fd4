/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_KEY_MAP_H
#define ZN_COORDINATOR_KEY_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Finds things by a 64-bit id in constant time. The things are borrowed, never NULL. All zero is a
 * valid, empty map. */
typedef struct zn_key_map {
    struct zn_key_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} zn_key_map;

/* NULL if the key is not there. */
void *zn_key_map_get(const zn_key_map *map, uint64_t key);

/* Adds a thing; the key must be new. */
void zn_key_map_put(zn_key_map *map, uint64_t key, void *thing);

/* Forgets a key, which need not be there. */
void zn_key_map_remove(zn_key_map *map, uint64_t key);

void zn_key_map_free(zn_key_map *map);

#endif
