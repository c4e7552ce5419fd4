/* SPDX-License-Identifier: MPL-2.0 */
/* The hash table of aggregate. Entries lie behind each other in one array that only grows, so a
 * table of many small groups has no allocation per group, and giving them on is a walk. The slots
 * hold half of the hash and the place of the entry: most keys that are not there are known by the
 * slot alone, and growing the slots does not touch the entries.
 *
 * What is kept for the next task, and what a table may have in any case, is small. */
#include "ops/aggregate_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/pages.h"
#include "base/short_bytes.h"

enum {
    SLOT_BYTES_MIN = 8 * ZN_KIB,
    ENTRY_BYTES_MIN = 32 * ZN_KIB,
    CHARGE_STEP = 64 * ZN_KIB,
    HEAD_BYTES = 8,
    TAG_AT = 4,
    STATE_AT = 6,
    LINE_BYTES = 64,
    UNIT = 8 /* places of entries are counted in these */
};

struct zn_aggregate_table {
    zn_pages slots; /* of 8 bytes: hash << 32 | place + 1; 0: empty; linear probing */
    size_t count;
    zn_pages entries; /* each: head, key, state, all from a unit on; the head is the length of the
                         key (4 bytes), the tag (1), one unused, the units of the state (2) */
    size_t len;
    size_t entry_bytes; /* of the last one: most are alike */
    zn_memory *memory;
    uint64_t limit;
    uint64_t charged; /* of the account */
    uint64_t outside; /* of that for what states hold */
};

static inline uint64_t *slots_of(const zn_pages *pages) {
    return (void *)pages->data;
}

static inline size_t slot_count_of(const zn_pages *pages) {
    return pages->bytes / sizeof(uint64_t);
}

zn_aggregate_table *zn_aggregate_table_new(void) {
    zn_aggregate_table *self = ZN_NEW(zn_aggregate_table);
    zn_pages_resize(&self->slots, SLOT_BYTES_MIN);
    zn_pages_resize(&self->entries, ENTRY_BYTES_MIN);
    return self;
}

void zn_aggregate_table_destroy(zn_aggregate_table **table) {
    zn_aggregate_table *self = *table;
    if (self == NULL) {
        return;
    }
    zn_aggregate_table_end(self);
    zn_pages_resize(&self->slots, 0);
    zn_pages_resize(&self->entries, 0);
    free(self);
    *table = NULL;
}

static void force(zn_aggregate_table *self, uint64_t bytes) {
    zn_memory_force(self->memory, bytes);
    self->charged += bytes;
}

static void give(zn_aggregate_table *self, uint64_t bytes) {
    zn_memory_give(self->memory, bytes);
    self->charged -= bytes;
}

/* An empty table may take what it needs: one entry has to fit. */
static bool take(zn_aggregate_table *self, uint64_t bytes) {
    if (self->count == 0) {
        force(self, bytes);
        return true;
    }
    if (self->charged + bytes > self->limit || !zn_memory_take(self->memory, bytes)) {
        return false;
    }
    self->charged += bytes;
    return true;
}

void zn_aggregate_table_begin(zn_aggregate_table *table, zn_memory *memory) {
    zn_aggregate_table_end(table);
    table->memory = memory;
    table->limit = zn_memory_left(memory) / 2;
    force(table, table->slots.bytes + table->entries.bytes);
}

void zn_aggregate_table_end(zn_aggregate_table *table) {
    zn_aggregate_table_clear(table);
    give(table, table->charged);
    table->memory = NULL;
}

void zn_aggregate_table_clear(zn_aggregate_table *table) {
    size_t before = table->slots.bytes + table->entries.bytes;
    zn_pages_resize(&table->slots, SLOT_BYTES_MIN);
    zn_pages_resize(&table->entries, ENTRY_BYTES_MIN);
    if (table->count > 0) {
        memset(table->slots.data, 0, table->slots.bytes);
    }
    table->count = 0;
    table->len = 0;
    give(table, table->outside + before - table->slots.bytes - table->entries.bytes);
    table->outside = 0;
}

bool zn_aggregate_table_charge(zn_aggregate_table *table, uint64_t bytes) {
    if (bytes <= table->outside) {
        return true;
    }
    uint64_t more = (bytes - table->outside + CHARGE_STEP - 1) / CHARGE_STEP * CHARGE_STEP;
    bool granted = take(table, more);
    if (!granted) {
        force(table, more);
    }
    table->outside += more;
    return granted;
}

static size_t round_up(size_t bytes) {
    return (bytes + UNIT - 1) / UNIT * UNIT;
}

static zn_aggregate_entry entry_at(const zn_aggregate_table *self, size_t place) {
    uint8_t *head = self->entries.data + place * UNIT;
    uint32_t key_len;
    memcpy(&key_len, head, sizeof key_len);
    return (zn_aggregate_entry){ .key = { head + HEAD_BYTES, key_len },
                                 .tag = head[TAG_AT],
                                 .state = head + HEAD_BYTES + round_up(key_len) };
}

/* Twice as many slots. */
static bool grow_slots(zn_aggregate_table *self) {
    zn_pages grown = { 0 };
    size_t count = slot_count_of(&self->slots);
    if (!take(self, 2 * self->slots.bytes)) {
        return false;
    }
    zn_pages_resize(&grown, 2 * self->slots.bytes);
    zn_pages_expect_random(&grown);
    const uint64_t *old = slots_of(&self->slots);
    uint64_t *slots = slots_of(&grown);
    for (size_t i = 0; i < count; i++) {
        if (old[i] != 0) {
            size_t at = (size_t)(old[i] >> 32) & (2 * count - 1);
            while (slots[at] != 0) {
                at = (at + 1) & (2 * count - 1);
            }
            slots[at] = old[i];
        }
    }
    give(self, self->slots.bytes);
    zn_pages_resize(&self->slots, 0);
    self->slots = grown;
    return true;
}

/* Room for an entry of `bytes`. */
static bool grow_entries(zn_aggregate_table *self, size_t bytes) {
    size_t needed = self->len + bytes;
    size_t capacity = self->entries.bytes;
    if (needed <= capacity) {
        return true;
    }
    size_t more = capacity + capacity / 2;
    size_t grown = zn_pages_round(more < needed ? needed : more);
    if (grown / UNIT >= UINT32_MAX || !take(self, grown - capacity)) {
        return false;
    }
    zn_pages_resize(&self->entries, grown);
    zn_pages_expect_random(&self->entries);
    return true;
}

/* The slot of the key, or the empty one where it belongs. */
static size_t find_slot(const zn_aggregate_table *self, zn_bytes key, uint32_t hash) {
    const uint64_t *slots = slots_of(&self->slots);
    size_t mask = slot_count_of(&self->slots) - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        uint64_t slot = slots[at];
        if (slot == 0) {
            return at;
        }
        if (slot >> 32 == hash &&
            zn_short_bytes_equal(entry_at(self, (uint32_t)slot - 1).key, key)) {
            return at;
        }
    }
}

static void *add_entry(zn_aggregate_table *self, zn_bytes key, uint8_t tag, size_t state_bytes,
                       uint32_t hash) {
    size_t bytes = HEAD_BYTES + round_up(key.len) + state_bytes;
    ZN_ASSERT(key.len <= UINT32_MAX && state_bytes % UNIT == 0);
    ZN_ASSERT(state_bytes / UNIT <= UINT16_MAX);
    if (self->count >= slot_count_of(&self->slots) / 2 && !grow_slots(self)) {
        return NULL;
    }
    if (!grow_entries(self, bytes)) {
        return NULL;
    }
    uint8_t *head = self->entries.data + self->len;
    uint32_t key_len = (uint32_t)key.len;
    memset(head, 0, bytes);
    memcpy(head, &key_len, sizeof key_len);
    head[TAG_AT] = tag;
    uint16_t state_units = (uint16_t)(state_bytes / UNIT);
    memcpy(head + STATE_AT, &state_units, sizeof state_units);
    memcpy(head + HEAD_BYTES, key.data, key.len);
    size_t at = find_slot(self, key, hash);
    slots_of(&self->slots)[at] = (uint64_t)hash << 32 | (uint32_t)(self->len / UNIT + 1);
    self->len += bytes;
    self->entry_bytes = bytes;
    self->count++;
    return head + bytes - state_bytes;
}

/* Short keys are mixed here, which takes less than the call: a multiplication of 128 bits mixes
 * their two words (Wang Yi 2019, wyhash). */
uint32_t zn_aggregate_table_hash(zn_bytes key) {
    if (key.len > ZN_SHORT_BYTES_MAX) {
        return (uint32_t)zn_checksum(key);
    }
    zn_short_bytes words = zn_short_bytes_load(key.data, key.len);
    uint64_t a = words.head ^ UINT64_C(0xa0761d6478bd642f);
    uint64_t b = words.tail ^ UINT64_C(0xe7037ed1a0b428db) ^ key.len;
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (uint32_t)(mixed ^ mixed >> 32);
}

void zn_aggregate_table_expect_slot(const zn_aggregate_table *table, uint32_t hash) {
    __builtin_prefetch(&slots_of(&table->slots)[hash & (slot_count_of(&table->slots) - 1)]);
}

/* The first slot is nearly always the right one; an entry is seldom longer than two lines. */
void zn_aggregate_table_expect_entry(const zn_aggregate_table *table, uint32_t hash) {
    uint64_t slot = slots_of(&table->slots)[hash & (slot_count_of(&table->slots) - 1)];
    if (slot != 0) {
        const uint8_t *entry = table->entries.data + ((uint32_t)slot - 1) * (size_t)UNIT;
        __builtin_prefetch(entry, 1);
        if ((uintptr_t)entry % LINE_BYTES + table->entry_bytes > LINE_BYTES) {
            __builtin_prefetch(entry + LINE_BYTES, 1);
        }
    }
}

void *zn_aggregate_table_find(zn_aggregate_table *table, zn_bytes key, uint32_t hash, uint8_t tag,
                              size_t state_bytes) {
    uint64_t slot = slots_of(&table->slots)[find_slot(table, key, hash)];
    if (slot != 0) {
        return entry_at(table, (uint32_t)slot - 1).state;
    }
    return add_entry(table, key, tag, state_bytes, hash);
}

bool zn_aggregate_table_next(zn_aggregate_table *table, size_t *at, zn_aggregate_entry *out) {
    if (*at >= table->len) {
        return false;
    }
    uint16_t state_units;
    memcpy(&state_units, table->entries.data + *at + STATE_AT, sizeof state_units);
    *out = entry_at(table, *at / UNIT);
    *at += HEAD_BYTES + round_up(out->key.len) + (size_t)state_units * UNIT;
    return true;
}
