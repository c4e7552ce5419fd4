/* SPDX-License-Identifier: MPL-2.0 */
/* Places by number, found by worker and name of the segment in a hash table with open addressing
 * that is at most half full. */
#include "ops/exchange_places.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "record/value.h"

enum {
    PLACE_VALUES = 4,
    HASH_SIZE_FIRST = 64
};

static size_t hash_of(uint64_t worker, zn_bytes segment) {
    return (size_t)(zn_checksum(segment) ^ (worker * UINT64_C(0x9e3779b97f4a7c15)));
}

/* Where the place is in the hash, or would be. */
static size_t find(const zn_exchange_places *places, uint64_t worker, zn_bytes segment) {
    size_t mask = places->hash_size - 1;
    size_t at = hash_of(worker, segment) & mask;
    while (places->hash[at] != 0) {
        const zn_exchange_place *place = &places->items[places->hash[at] - 1];
        if (place->worker == worker && zn_bytes_equal(place->at.place.segment, segment)) {
            break;
        }
        at = (at + 1) & mask;
    }
    return at;
}

static void grow_hash(zn_exchange_places *places) {
    if (places->hash_size > 2 * places->count) {
        return;
    }
    free(places->hash);
    places->hash_size = places->hash_size == 0 ? HASH_SIZE_FIRST : 2 * places->hash_size;
    places->hash = zn_calloc(places->hash_size, sizeof *places->hash);
    for (size_t i = 0; i < places->count; i++) {
        const zn_exchange_place *place = &places->items[i];
        places->hash[find(places, place->worker, place->at.place.segment)] = (uint32_t)i + 1;
    }
}

uint32_t zn_exchange_places_add(zn_exchange_places *places, const zn_result *result,
                                const char *machine) {
    grow_hash(places);
    size_t at = find(places, result->worker, result->reference[0].segment);
    if (places->hash[at] == 0) {
        ZN_GROW(places->items, places->count, places->capacity);
        places->items[places->count++] =
            (zn_exchange_place){ .worker = result->worker,
                                 .at = zn_result_place_of(result, machine) };
        places->hash[at] = (uint32_t)places->count;
    }
    return places->hash[at] - 1;
}

void zn_exchange_place_put(zn_buf *out, const zn_exchange_place *place) {
    zn_put_array(out, PLACE_VALUES);
    zn_put_uint(out, place->worker);
    zn_put_text(out, place->at.place.endpoint);
    zn_put_text(out, place->at.place.folder == NULL ? "" : place->at.place.folder);
    zn_put_string(out, place->at.place.segment);
}

static bool take_text(zn_cursor *cursor, zn_bytes *out) {
    zn_value head = zn_cursor_read(cursor);
    *out = head.bytes;
    return head.type == ZN_VALUE_STRING;
}

/* A place is read as the result that it came from, on this machine if it has a folder. */
static bool take_place(zn_cursor *cursor, zn_exchange_place *out) {
    static const char here[] = "here";
    zn_value head = zn_cursor_read(cursor);
    if (head.type != ZN_VALUE_ARRAY || head.count != PLACE_VALUES) {
        return false;
    }
    zn_value worker = zn_cursor_read(cursor);
    zn_reference reference = { 0 };
    zn_result result = { .reference = &reference,
                         .reference_count = 1,
                         .machine = zn_bytes_of_text(here) };
    if ((worker.type != ZN_VALUE_INT && worker.type != ZN_VALUE_UINT) ||
        !take_text(cursor, &result.endpoint) || !take_text(cursor, &result.folder) ||
        !take_text(cursor, &reference.segment)) {
        return false;
    }
    out->worker = worker.uinteger;
    out->at = zn_result_place_of(&result, here);
    return true;
}

bool zn_exchange_places_take(zn_exchange_places *places, zn_bytes values) {
    zn_cursor cursor = zn_cursor_of(values);
    while (cursor.at < cursor.end) {
        zn_exchange_place place;
        if (!take_place(&cursor, &place)) {
            return false;
        }
        ZN_GROW(places->items, places->count, places->capacity);
        places->items[places->count++] = place;
    }
    return true;
}

void zn_exchange_places_free(zn_exchange_places *places) {
    for (size_t i = 0; i < places->count; i++) {
        zn_result_place_free(&places->items[i].at);
    }
    free(places->items);
    free(places->hash);
    *places = (zn_exchange_places){ 0 };
}
