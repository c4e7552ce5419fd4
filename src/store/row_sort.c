/* SPDX-License-Identifier: MPL-2.0 */
/* Sorting rows without moving them. Entries are distributed in place by one byte of what they hold
 * of the key after another (McIlroy, Bostic, McIlroy 1993, "Engineering Radix Sort", the American
 * flag); where that is used up, entries get the next bytes of their keys; small buckets are merged
 * by comparison. A key shorter than ZN_ROW_ENTRY_LONG is in its entry as a whole, with its length,
 * so its row is never looked at; numbers, short texts and most pairs of them are. Places make all
 * entries different, so the result is the stable order although distributing in place is not
 * stable.
 *
 * Used by the buffer of the sorter. */
#include "store/row_sort.h"

#include <string.h>

#include "record/key.h"

enum {
    ENTRY_KEY_BYTES = 12, /* of `high` and `low` */
    HELD_BYTES = 11,      /* of the key in an entry */
    RADIX_ENTRIES_MIN = 256,
    INSERT_ENTRIES_MAX = 12,
    LEVELS_MAX = 64,
};

zn_row_entry zn_row_entry_of(zn_bytes key, uint32_t place) {
    uint8_t bytes[ENTRY_KEY_BYTES] = { 0 };
    memcpy(bytes, key.data, key.len < HELD_BYTES ? key.len : HELD_BYTES);
    bytes[HELD_BYTES] = (uint8_t)(key.len < ZN_ROW_ENTRY_LONG ? key.len : ZN_ROW_ENTRY_LONG);
    return (zn_row_entry){ .high = zn_get_u64_high_first(bytes),
                           .low = zn_get_u32_high_first(bytes + 8),
                           .place = place };
}

zn_row zn_row_at(const uint8_t *rows, uint32_t place) {
    const uint8_t *at = rows + (size_t)place * ZN_ROW_PLACE_BYTES;
    uint32_t lengths[2];
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    return (zn_row){ .key = { at, lengths[0] }, .record = { at + lengths[0], lengths[1] } };
}

/* Where the keys are, and how many of their bytes are known to be equal and no more in entries. */
typedef struct sort_keys {
    const uint8_t *rows;
    size_t skipped;
} sort_keys;

static zn_bytes rest_of_key(const zn_row_entry *entry, const sort_keys *keys) {
    zn_bytes key = zn_row_at(keys->rows, entry->place).key;
    return (zn_bytes){ key.data + keys->skipped, key.len - keys->skipped };
}

static bool holds_all(const zn_row_entry *entry) {
    return (entry->low & 0xFF) != ZN_ROW_ENTRY_LONG;
}

/* Both entries hold the same bytes. */
static bool slow_before(const zn_row_entry *a, const zn_row_entry *b, const sort_keys *keys) {
    if (!holds_all(a)) {
        int order = zn_key_compare(rest_of_key(a, keys), rest_of_key(b, keys));
        if (order != 0) {
            return order < 0;
        }
    }
    return a->place < b->place;
}

static inline bool before(const zn_row_entry *a, const zn_row_entry *b, const sort_keys *keys) {
    if (a->high != b->high) {
        return a->high < b->high;
    }
    return a->low != b->low ? a->low < b->low : slow_before(a, b, keys);
}

static void insertion_sort(zn_row_entry *entries, size_t count, const sort_keys *keys) {
    for (size_t i = 1; i < count; i++) {
        zn_row_entry entry = entries[i];
        size_t at = i;
        for (; at > 0 && before(&entry, &entries[at - 1], keys); at--) {
            entries[at] = entries[at - 1];
        }
        entries[at] = entry;
    }
}

static void merge_sort(zn_row_entry *entries, size_t count, zn_row_entry *spare,
                       const sort_keys *keys) {
    if (count <= INSERT_ENTRIES_MAX) {
        insertion_sort(entries, count, keys);
        return;
    }
    size_t half = count / 2;
    merge_sort(entries, half, spare, keys);
    merge_sort(entries + half, count - half, spare, keys);
    if (before(&entries[half - 1], &entries[half], keys)) {
        return;
    }
    memcpy(spare, entries, half * sizeof *spare);
    size_t left = 0;
    size_t right = half;
    for (size_t to = 0; left < half; to++) {
        bool second = right < count && before(&entries[right], &spare[left], keys);
        entries[to] = second ? entries[right++] : spare[left++];
    }
}

static inline unsigned byte_of(const zn_row_entry *entry, unsigned depth) {
    return depth < 8 ? (unsigned)(entry->high >> (56 - 8 * depth)) & 0xFF
                     : (unsigned)(entry->low >> (88 - 8 * depth)) & 0xFF;
}

/* Moves entries to the buckets of their byte; `ends` gets where each bucket ends. False if all are
 * in one, and nothing has moved. */
static bool distribute(zn_row_entry *entries, size_t count, unsigned depth, size_t ends[256]) {
    size_t sizes[256] = { 0 };
    size_t next[256];
    for (size_t i = 0; i < count; i++) {
        sizes[byte_of(&entries[i], depth)]++;
    }
    if (sizes[byte_of(&entries[0], depth)] == count) {
        return false;
    }
    size_t sum = 0;
    for (unsigned i = 0; i < 256; i++) {
        next[i] = sum;
        sum += sizes[i];
        ends[i] = sum;
    }
    for (unsigned bucket = 0; bucket < 256; bucket++) {
        while (next[bucket] < ends[bucket]) {
            zn_row_entry entry = entries[next[bucket]];
            for (unsigned home; (home = byte_of(&entry, depth)) != bucket;) {
                zn_row_entry other = entries[next[home]];
                entries[next[home]++] = entry;
                entry = other;
            }
            entries[next[bucket]++] = entry;
        }
    }
    return true;
}

/* The next bytes of keys that are equal so far. */
static void reload(zn_row_entry *entries, size_t count, const sort_keys *keys) {
    for (size_t i = 0; i < count; i++) {
        entries[i] = zn_row_entry_of(rest_of_key(&entries[i], keys), entries[i].place);
    }
}

/* `depth` bytes of the entries are equal. Recurses where a bucket was split, up to a limit: keys
 * that are each the begin of the next one could split as often as there are keys. */
static void radix_sort(zn_row_entry *entries, size_t count, unsigned depth, unsigned level,
                       zn_row_entry *spare, sort_keys keys) {
    size_t ends[256];
    bool split = false;
    while (count >= RADIX_ENTRIES_MIN && level < LEVELS_MAX && !split) {
        if (depth == ENTRY_KEY_BYTES && holds_all(&entries[0])) {
            break;
        }
        if (depth == ENTRY_KEY_BYTES) {
            keys.skipped += HELD_BYTES;
            reload(entries, count, &keys);
            depth = 0;
        }
        split = distribute(entries, count, depth++, ends);
    }
    if (!split) {
        merge_sort(entries, count, spare, &keys);
        return;
    }
    size_t start = 0;
    for (unsigned i = 0; i < 256; i++) {
        radix_sort(entries + start, ends[i] - start, depth, level + 1, spare, keys);
        start = ends[i];
    }
}

static bool sorted(const zn_row_entry *entries, size_t count, const sort_keys *keys) {
    for (size_t i = 1; i < count; i++) {
        if (!before(&entries[i - 1], &entries[i], keys)) {
            return false;
        }
    }
    return true;
}

void zn_row_sort(zn_row_entry *entries, size_t count, zn_row_entry *spare, const uint8_t *rows) {
    sort_keys keys = { .rows = rows };
    if (!sorted(entries, count, &keys)) {
        radix_sort(entries, count, 0, 0, spare, keys);
    }
}
