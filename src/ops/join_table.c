/* SPDX-License-Identifier: MPL-2.0 */
/* A hash table of records by key: buckets of keys, and behind the first record of a key a list of
 * the others in the order of their arrival. Keys and records lie behind each other in one buffer,
 * numbers point into an array of entries, so the table is three pieces of memory, however many
 * records there are. */
#include "ops/join_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/key.h"

enum {
    BUCKETS_MIN = 64
};

#define NONE UINT32_MAX

typedef struct entry {
    size_t at;            /* of the key, or of the record if it is not the first of its key */
    size_t record_bytes;  /* behind the key */
    uint32_t key_bytes;   /* 0: not the first of its key */
    uint32_t next_key;    /* in the bucket */
    uint32_t next_record; /* of the key */
    uint32_t last_record; /* of the key, if this is its first */
} entry;

struct zn_join_table {
    zn_memory *memory;
    bool limited;
    zn_buf bytes;
    entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *buckets; /* a power of two of them */
    uint32_t bucket_count;
    uint32_t key_count;
    uint64_t charged;
    uint64_t wanted; /* bytes that the table has, or would have were they allowed */
    bool refused;
};

static void clear_buckets(zn_join_table *table, uint32_t count) {
    table->buckets = zn_realloc(table->buckets, count, sizeof *table->buckets);
    table->bucket_count = count;
    for (uint32_t i = 0; i < count; i++) {
        table->buckets[i] = NONE;
    }
}

zn_join_table *zn_join_table_new(zn_memory *memory, bool limited) {
    zn_join_table *table = ZN_NEW(zn_join_table);
    table->memory = memory;
    table->limited = limited;
    clear_buckets(table, BUCKETS_MIN);
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
    uint64_t more = bytes + sizeof(entry) + 2 * sizeof *table->buckets;
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

static zn_bytes key_of(const zn_join_table *table, const entry *at) {
    return (zn_bytes){ table->bytes.data + at->at, at->key_bytes };
}

static uint32_t *bucket_of(const zn_join_table *table, zn_bytes key) {
    return &table->buckets[zn_key_partition(key, table->bucket_count)];
}

/* The first record of a key, or NONE. */
static uint32_t find(const zn_join_table *table, zn_bytes key) {
    uint32_t at = *bucket_of(table, key);
    while (at != NONE && !zn_bytes_equal(key_of(table, &table->entries[at]), key)) {
        at = table->entries[at].next_key;
    }
    return at;
}

static void link_key(zn_join_table *table, uint32_t number) {
    entry *first = &table->entries[number];
    uint32_t *bucket = bucket_of(table, key_of(table, first));
    first->next_key = *bucket;
    *bucket = number;
}

/* Twice as many buckets once there are as many keys. */
static void grow_buckets(zn_join_table *table) {
    if (table->key_count < table->bucket_count || table->bucket_count > NONE / 2) {
        return;
    }
    clear_buckets(table, 2 * table->bucket_count);
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].key_bytes > 0) {
            link_key(table, (uint32_t)i);
        }
    }
}

static void add_key(zn_join_table *table, zn_bytes key, uint32_t number) {
    entry *added = &table->entries[number];
    added->key_bytes = (uint32_t)key.len;
    added->last_record = number;
    zn_buf_append(&table->bytes, key.data, key.len);
    grow_buckets(table);
    table->key_count++;
    link_key(table, number);
}

zonda_err zn_join_table_add(zn_join_table *table, zn_bytes key, zn_bytes record,
                            zonda_error *error) {
    uint32_t first = find(table, key);
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
    table->entries[table->count] = (entry){
        .at = table->bytes.len, .record_bytes = record.len, .next_key = NONE, .next_record = NONE
    };
    if (first == NONE) {
        add_key(table, key, number);
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

zonda_err zn_join_table_each(const zn_join_table *table, zn_bytes key, zn_join_table_visit *visit,
                             void *context, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (uint32_t at = find(table, key); at != NONE && err == ZONDA_OK;) {
        const entry *found = &table->entries[at];
        const uint8_t *record = table->bytes.data + found->at + found->key_bytes;
        err = visit(context, (zn_bytes){ record, found->record_bytes }, error);
        at = found->next_record;
    }
    return err;
}

bool zn_join_table_has(const zn_join_table *table, zn_bytes key) {
    return find(table, key) != NONE;
}
