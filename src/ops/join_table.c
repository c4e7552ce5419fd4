/* SPDX-License-Identifier: MPL-2.0 */
/* A hash table of records by key: buckets of keys, and behind the first record of a key a list of
 * the others in the order of their arrival. Keys and records lie behind each other in one buffer,
 * numbers point into an array of entries, so the table is three pieces of memory, however many
 * records there are. A bucket has the hash of its key, so that a search looks at hardly any key but
 * the right one; buckets that are taken are passed over to the next (linear probing), and half of
 * them are free. */
#include "ops/join_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/key.h"

enum {
    BUCKET_BITS_MIN = 7
};

#define NONE ZN_JOIN_TABLE_NONE

typedef struct entry {
    size_t at;            /* of the key, or of the record if it is not the first of its key */
    size_t record_bytes;  /* behind the key */
    uint32_t key_bytes;   /* 0: not the first of its key */
    uint32_t next_record; /* of the key */
    uint32_t last_record; /* of the key, if this is its first */
} entry;

typedef struct bucket {
    uint32_t hash;
    uint32_t first; /* record of the key; NONE: the bucket is free */
} bucket;

struct zn_join_table {
    zn_memory *memory;
    bool limited;
    zn_buf bytes;
    entry *entries;
    size_t count;
    size_t capacity;
    bucket *buckets;
    unsigned bucket_bits;
    size_t key_count;
    uint64_t charged;
    uint64_t wanted; /* bytes that the table has, or would have were they allowed */
    bool refused;
};

static bucket *new_buckets(unsigned bits) {
    size_t count = (size_t)1 << bits;
    bucket *buckets = zn_calloc(count, sizeof *buckets);
    for (size_t i = 0; i < count; i++) {
        buckets[i].first = NONE;
    }
    return buckets;
}

zn_join_table *zn_join_table_new(zn_memory *memory, bool limited) {
    zn_join_table *table = ZN_NEW(zn_join_table);
    table->memory = memory;
    table->limited = limited;
    table->bucket_bits = BUCKET_BITS_MIN;
    table->buckets = new_buckets(BUCKET_BITS_MIN);
    return table;
}

void zn_join_table_destroy(zn_join_table **table) {
    zn_join_table *self = *table;
    if (self == NULL) {
        return;
    }
    zn_memory_give(self->memory, self->charged);
    zn_buf_free(&self->bytes);
    free(self->entries);
    free(self->buckets);
    free(self);
    *table = NULL;
}

/* Asks for memory for `bytes` of keys and records more, with what the entry takes. */
static bool charge(zn_join_table *table, size_t bytes) {
    uint64_t more = bytes + sizeof(entry) + 4 * sizeof *table->buckets;
    table->wanted += more;
    if (!table->limited) {
        zn_memory_force(table->memory, more);
    } else if (table->refused || !zn_memory_take(table->memory, more)) {
        table->refused = true;
        return false;
    }
    table->charged += more;
    return true;
}

static uint32_t hash_of(zn_bytes key) {
    return zn_key_partition(key, UINT32_MAX);
}

static bool is_key(const zn_join_table *table, uint32_t number, zn_bytes key) {
    const entry *at = &table->entries[number];
    return zn_bytes_equal((zn_bytes){ table->bytes.data + at->at, at->key_bytes }, key);
}

/* The bucket of a key, or the free one where it belongs. */
static bucket *bucket_of(const zn_join_table *table, zn_bytes key, uint32_t hash) {
    size_t last = ((size_t)1 << table->bucket_bits) - 1;
    size_t at = hash >> (32 - table->bucket_bits);
    while (table->buckets[at].first != NONE &&
           (table->buckets[at].hash != hash || !is_key(table, table->buckets[at].first, key))) {
        at = at == last ? 0 : at + 1;
    }
    return &table->buckets[at];
}

uint32_t zn_join_table_find(const zn_join_table *table, zn_bytes key) {
    return bucket_of(table, key, hash_of(key))->first;
}

/* Twice as many buckets once half of them are taken. */
static void grow_buckets(zn_join_table *table) {
    size_t count = (size_t)1 << table->bucket_bits;
    if (table->key_count < count / 2 || table->bucket_bits == 32) {
        return;
    }
    bucket *buckets = new_buckets(table->bucket_bits + 1);
    for (size_t i = 0; i < count; i++) {
        if (table->buckets[i].first == NONE) {
            continue;
        }
        size_t at = table->buckets[i].hash >> (32 - table->bucket_bits - 1);
        while (buckets[at].first != NONE) {
            at = at == 2 * count - 1 ? 0 : at + 1;
        }
        buckets[at] = table->buckets[i];
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_bits++;
}

static void add_key(zn_join_table *table, zn_bytes key, uint32_t hash, uint32_t number) {
    entry *added = &table->entries[number];
    added->key_bytes = (uint32_t)key.len;
    added->last_record = number;
    grow_buckets(table);
    *bucket_of(table, key, hash) = (bucket){ .hash = hash, .first = number };
    zn_buf_append(&table->bytes, key.data, key.len);
    table->key_count++;
}

zonda_err zn_join_table_add(zn_join_table *table, zn_bytes key, zn_bytes record,
                            zonda_error *error) {
    uint32_t hash = hash_of(key);
    uint32_t first = bucket_of(table, key, hash)->first;
    if (first != NONE && record.len == 0) {
        return ZONDA_OK; /* known already */
    }
    if (!charge(table, record.len + (first == NONE ? key.len : 0))) {
        return ZONDA_OK;
    }
    if (table->count == NONE || key.len > UINT32_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the right side of a broadcast join has at most %" PRIu32 " records",
                            NONE);
    }
    uint32_t number = (uint32_t)table->count;
    ZN_GROW(table->entries, table->count, table->capacity);
    table->entries[table->count] =
        (entry){ .at = table->bytes.len, .record_bytes = record.len, .next_record = NONE };
    if (first == NONE) {
        add_key(table, key, hash, number);
    } else {
        table->entries[table->entries[first].last_record].next_record = number;
        table->entries[first].last_record = number;
    }
    table->count++;
    zn_buf_append(&table->bytes, record.data, record.len);
    return ZONDA_OK;
}

/* Gives back what growing has taken in advance. */
static void trim(zn_join_table *table) {
    if (table->count > 0) {
        table->entries = zn_realloc(table->entries, table->count, sizeof *table->entries);
        table->capacity = table->count;
        table->bytes.data = zn_realloc(table->bytes.data, table->bytes.len, 1);
        table->bytes.capacity = table->bytes.len;
    }
}

zonda_err zn_join_table_finish(zn_join_table *table, zonda_error *error) {
    if (!table->refused) {
        trim(table);
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_LIMIT,
                 "the right side takes %" PRIu64 " bytes of memory in each slot, more than is left "
                 "of the limit of %" PRIu64 "; give slots more memory, or join without broadcast",
                 table->wanted, table->memory->limit);
    error->permanent = true;
    return ZONDA_ERR_LIMIT;
}

zonda_err zn_join_table_each(const zn_join_table *table, uint32_t first, zn_join_table_visit *visit,
                             void *context, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (uint32_t at = first; at != NONE && err == ZONDA_OK;) {
        const entry *found = &table->entries[at];
        const uint8_t *record = table->bytes.data + found->at + found->key_bytes;
        err = visit(context, (zn_bytes){ record, found->record_bytes }, error);
        at = found->next_record;
    }
    return err;
}
