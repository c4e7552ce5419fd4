/* SPDX-License-Identifier: MPL-2.0 */
/* Sorting rows without moving them. Entries are distributed in place by one byte of what they hold
 * of the key after another (McIlroy, Bostic, McIlroy 1993, "Engineering Radix Sort", the American
 * flag); small or used-up buckets are merged by comparison. A key shorter than
 * ZN_ROW_ENTRY_LONG is in its entry as a whole, with its length, so its row is never looked at;
 * numbers, short texts and most pairs of them are. Places make all entries different, so the
 * result is the stable order although distributing in place is not stable.
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
};

zn_row_entry zn_row_entry_of(zn_bytes key, uint32_t place) {
    uint8_t bytes[ENTRY_KEY_BYTES] = { 0 };
    memcpy(bytes, key.data, key.len < HELD_BYTES ? key.len : HELD_BYTES);
    bytes[HELD_BYTES] = (uint8_t)(key.len < ZN_ROW_ENTRY_LONG ? key.len : ZN_ROW_ENTRY_LONG);
    zn_row_entry entry = { .place = place };
    for (size_t i = 0; i < 8; i++) {
        entry.high = entry.high << 8 | bytes[i];
    }
    for (size_t i = 8; i < ENTRY_KEY_BYTES; i++) {
        entry.low = entry.low << 8 | bytes[i];
    }
    return entry;
}

zn_row zn_row_at(const uint8_t *rows, uint32_t place) {
    const uint8_t *at = rows + (size_t)place * ZN_ROW_PLACE_BYTES;
    uint32_t lengths[2];
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    return (zn_row){ .key = { at, lengths[0] }, .record = { at + lengths[0], lengths[1] } };
}

/* Both entries hold the same bytes. */
static bool slow_before(const zn_row_entry *a, const zn_row_entry *b, const uint8_t *rows) {
    if ((a->low & 0xFF) == ZN_ROW_ENTRY_LONG) {
        int order = zn_key_compare(zn_row_at(rows, a->place).key, zn_row_at(rows, b->place).key);
        if (order != 0) {
            return order < 0;
        }
    }
    return a->place < b->place;
}

static inline bool before(const zn_row_entry *a, const zn_row_entry *b, const uint8_t *rows) {
    if (a->high != b->high) {
        return a->high < b->high;
    }
    return a->low != b->low ? a->low < b->low : slow_before(a, b, rows);
}

static void insertion_sort(zn_row_entry *entries, size_t count, const uint8_t *rows) {
    for (size_t i = 1; i < count; i++) {
        zn_row_entry entry = entries[i];
        size_t at = i;
        for (; at > 0 && before(&entry, &entries[at - 1], rows); at--) {
            entries[at] = entries[at - 1];
        }
        entries[at] = entry;
    }
}

static void merge_sort(zn_row_entry *entries, size_t count, zn_row_entry *spare,
                       const uint8_t *rows) {
    if (count <= INSERT_ENTRIES_MAX) {
        insertion_sort(entries, count, rows);
        return;
    }
    size_t half = count / 2;
    merge_sort(entries, half, spare, rows);
    merge_sort(entries + half, count - half, spare, rows);
    if (before(&entries[half - 1], &entries[half], rows)) {
        return;
    }
    memcpy(spare, entries, half * sizeof *spare);
    size_t left = 0;
    size_t right = half;
    for (size_t to = 0; left < half; to++) {
        bool second = right < count && before(&entries[right], &spare[left], rows);
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

/* Recurses at most once per byte of an entry. */
static void radix_sort(zn_row_entry *entries, size_t count, unsigned depth, zn_row_entry *spare,
                       const uint8_t *rows) {
    size_t ends[256];
    while (count >= RADIX_ENTRIES_MIN && depth < ENTRY_KEY_BYTES &&
           !distribute(entries, count, depth, ends)) {
        depth++;
    }
    if (count < RADIX_ENTRIES_MIN || depth == ENTRY_KEY_BYTES) {
        merge_sort(entries, count, spare, rows);
        return;
    }
    size_t start = 0;
    for (unsigned i = 0; i < 256; i++) {
        radix_sort(entries + start, ends[i] - start, depth + 1, spare, rows);
        start = ends[i];
    }
}

static bool sorted(const zn_row_entry *entries, size_t count, const uint8_t *rows) {
    for (size_t i = 1; i < count; i++) {
        if (!before(&entries[i - 1], &entries[i], rows)) {
            return false;
        }
    }
    return true;
}

void zn_row_sort(zn_row_entry *entries, size_t count, zn_row_entry *spare, const uint8_t *rows) {
    if (!sorted(entries, count, rows)) {
        radix_sort(entries, count, 0, spare, rows);
    }
}
