/* SPDX-License-Identifier: MPL-2.0 */
/* A hash table with open addressing and linear probing, at most half full, for jobs, workers and
 * clients by id. Removing moves the entries behind the hole back (Knuth, The Art of Computer
 * Programming 3, 6.4, algorithm R), so there are no tombstones and lookups never slow down. */
#include "coordinator/key_map.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"

enum {
    ZN_KEY_MAP_FIRST = 16
};

struct zn_key_slot {
    uint64_t key;
    void *thing; /* NULL: the slot is free */
};

/* Spreads ids that count up (or that an outsider chose badly) over the table; the constant is
 * 2^64 divided by the golden ratio. */
static size_t home_of(const zn_key_map *map, uint64_t key) {
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed ^ (mixed >> 32)) & (map->capacity - 1);
}

static size_t find_slot(const zn_key_map *map, uint64_t key) {
    size_t at = home_of(map, key);
    while (map->slots[at].thing != NULL && map->slots[at].key != key) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

static void grow(zn_key_map *map) {
    zn_key_map wider = { .capacity = map->capacity == 0 ? ZN_KEY_MAP_FIRST : map->capacity * 2,
                         .count = map->count };
    wider.slots = zn_calloc(wider.capacity, sizeof(wider.slots[0]));
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].thing != NULL) {
            wider.slots[find_slot(&wider, map->slots[i].key)] = map->slots[i];
        }
    }
    free(map->slots);
    *map = wider;
}

void *zn_key_map_get(const zn_key_map *map, uint64_t key) {
    return map->capacity == 0 ? NULL : map->slots[find_slot(map, key)].thing;
}

void zn_key_map_put(zn_key_map *map, uint64_t key, void *thing) {
    ZN_ASSERT(thing != NULL);
    if (map->count * 2 >= map->capacity) {
        grow(map);
    }
    struct zn_key_slot *slot = &map->slots[find_slot(map, key)];
    ZN_ASSERT(slot->thing == NULL);
    *slot = (struct zn_key_slot){ key, thing };
    map->count++;
}

void zn_key_map_remove(zn_key_map *map, uint64_t key) {
    if (zn_key_map_get(map, key) == NULL) {
        return;
    }
    size_t mask = map->capacity - 1;
    size_t hole = find_slot(map, key);
    map->slots[hole].thing = NULL;
    map->count--;
    for (size_t at = (hole + 1) & mask; map->slots[at].thing != NULL; at = (at + 1) & mask) {
        size_t home = home_of(map, map->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            map->slots[at].thing = NULL;
            hole = at;
        }
    }
}

void zn_key_map_free(zn_key_map *map) {
    free(map->slots);
    *map = (zn_key_map){ 0 };
}
