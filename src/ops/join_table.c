/* SPDX-License-Identifier: MPL-2.0 */
/* A hash table of records by key: buckets of keys, and behind the first record of a key a list of
 * the others in the order of their arrival. Keys and records lie behind each other in one buffer,
 * numbers point into an array of entries, so the table is three pieces of memory, however many
 * records there are. A bucket has the hash of its key, so that a search looks at hardly any key but
 * the right one; buckets that are taken are passed over to the next (linear probing), and half of
 * them are free.
 *
 * When the account refuses more, the buffer moves to a temporary file, with the same offsets, and
 * everything that comes is put behind it there. A search then costs a read or two, of pages that
 * the system keeps if it can. The index stays in memory, by force. */
#include "ops/join_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/key.h"
#include "store/byte_file.h"

enum {
    BUCKET_BITS_MIN = 7
};

#define NONE ZN_JOIN_TABLE_NONE

typedef struct entry {
    uint64_t at;          /* of the key, or of the record if it is not the first of its key */
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
    const char *scratch;
    zn_buf bytes;       /* in memory, */
    zn_byte_file *file; /* or here; NULL: not yet */
    zn_buf key;         /* that was read from the file */
    zn_buf record;      /* the same */
    entry *entries;
    size_t count;
    size_t capacity;
    bucket *buckets;
    unsigned bucket_bits;
    size_t key_count;
    uint64_t share;         /* of the account: half is left to others */
    uint64_t charged_bytes; /* for keys and records */
    uint64_t charged_index; /* and for the rest */
};

static bucket *new_buckets(unsigned bits) {
    size_t count = (size_t)1 << bits;
    bucket *buckets = zn_calloc(count, sizeof *buckets);
    for (size_t i = 0; i < count; i++) {
        buckets[i].first = NONE;
    }
    return buckets;
}

zn_join_table *zn_join_table_new(zn_memory *memory, const char *scratch) {
    zn_join_table *table = ZN_NEW(zn_join_table);
    table->memory = memory;
    table->scratch = scratch;
    table->share = zn_memory_left(memory) / 2;
    table->bucket_bits = BUCKET_BITS_MIN;
    table->buckets = new_buckets(BUCKET_BITS_MIN);
    return table;
}

void zn_join_table_destroy(zn_join_table **table) {
    zn_join_table *self = *table;
    if (self == NULL) {
        return;
    }
    zn_memory_give(self->memory, self->charged_bytes + self->charged_index);
    zn_byte_file_destroy(&self->file);
    zn_buf_free(&self->bytes);
    zn_buf_free(&self->key);
    zn_buf_free(&self->record);
    free(self->entries);
    free(self->buckets);
    free(self);
    *table = NULL;
}

/* ---- keys and records ---- */

static uint64_t size(const zn_join_table *table) {
    return table->file == NULL ? table->bytes.len : zn_byte_file_size(table->file);
}

/* Moves everything to a file, in which all places stay what they are. */
static zonda_err spill(zn_join_table *table, zonda_error *error) {
    zn_byte_file *file = zn_byte_file_new(table->scratch, error);
    if (file == NULL) {
        return error->code;
    }
    zonda_err code = zn_byte_file_append(file, zn_buf_bytes(&table->bytes), error);
    if (code != ZONDA_OK) {
        zn_byte_file_destroy(&file);
        return code;
    }
    table->file = file;
    zn_buf_free(&table->bytes);
    zn_memory_give(table->memory, table->charged_bytes);
    zn_memory_force(table->memory, ZN_BYTE_FILE_MEMORY_BYTES);
    table->charged_bytes = ZN_BYTE_FILE_MEMORY_BYTES;
    return ZONDA_OK;
}

/* Asks for memory for `bytes` of keys and records more, and for what the entry takes. */
static zonda_err make_room(zn_join_table *table, size_t bytes, zonda_error *error) {
    uint64_t index = sizeof(entry) + 4 * sizeof *table->buckets;
    zn_memory_force(table->memory, index);
    table->charged_index += index;
    if (table->file != NULL) {
        return ZONDA_OK;
    }
    if (table->charged_bytes + bytes > table->share || !zn_memory_take(table->memory, bytes)) {
        return spill(table, error);
    }
    table->charged_bytes += bytes;
    return ZONDA_OK;
}

static zonda_err append(zn_join_table *table, zn_bytes bytes, zonda_error *error) {
    if (table->file != NULL) {
        return zn_byte_file_append(table->file, bytes, error);
    }
    zn_buf_append(&table->bytes, bytes.data, bytes.len);
    return ZONDA_OK;
}

/* Borrows bytes of the table; `buffer` holds them if they are in the file. */
static zonda_err borrow(zn_join_table *table, uint64_t at, size_t len, zn_buf *buffer,
                        zn_bytes *out, zonda_error *error) {
    if (table->file == NULL) {
        *out = (zn_bytes){ table->bytes.data + at, len };
        return ZONDA_OK;
    }
    zonda_err code = zn_byte_file_read(table->file, at, len, buffer, error);
    *out = zn_buf_bytes(buffer);
    return code;
}

/* ---- the index ---- */

static uint32_t hash_of(zn_bytes key) {
    return zn_key_partition(key, UINT32_MAX);
}

static zonda_err is_key(zn_join_table *table, uint32_t number, zn_bytes key, bool *out,
                        zonda_error *error) {
    const entry *at = &table->entries[number];
    *out = at->key_bytes == key.len;
    if (!*out) {
        return ZONDA_OK;
    }
    zn_bytes found;
    zonda_err code = borrow(table, at->at, at->key_bytes, &table->key, &found, error);
    *out = code == ZONDA_OK && zn_bytes_equal(found, key);
    return code;
}

/* The bucket of a key, or the free one where it belongs. */
static zonda_err bucket_of(zn_join_table *table, zn_bytes key, uint32_t hash, bucket **out,
                           zonda_error *error) {
    size_t last = ((size_t)1 << table->bucket_bits) - 1;
    size_t at = hash >> (32 - table->bucket_bits);
    bool found = false;
    while (table->buckets[at].first != NONE) {
        if (table->buckets[at].hash == hash) {
            zonda_err code = is_key(table, table->buckets[at].first, key, &found, error);
            if (code != ZONDA_OK) {
                return code;
            }
        }
        if (found) {
            break;
        }
        at = at == last ? 0 : at + 1;
    }
    *out = &table->buckets[at];
    return ZONDA_OK;
}

zonda_err zn_join_table_find(zn_join_table *table, zn_bytes key, uint32_t *first,
                             zonda_error *error) {
    bucket *found = NULL;
    zonda_err code = bucket_of(table, key, hash_of(key), &found, error);
    *first = code == ZONDA_OK ? found->first : NONE;
    return code;
}

/* Where a key with this hash goes that is in none of the buckets. */
static bucket *free_bucket(bucket *buckets, unsigned bits, uint32_t hash) {
    size_t last = ((size_t)1 << bits) - 1;
    size_t at = hash >> (32 - bits);
    while (buckets[at].first != NONE) {
        at = at == last ? 0 : at + 1;
    }
    return &buckets[at];
}

/* Twice as many buckets once half of them are taken. */
static void grow_buckets(zn_join_table *table) {
    size_t count = (size_t)1 << table->bucket_bits;
    if (table->key_count < count / 2 || table->bucket_bits == 32) {
        return;
    }
    unsigned bits = table->bucket_bits + 1;
    bucket *buckets = new_buckets(bits);
    for (size_t i = 0; i < count; i++) {
        if (table->buckets[i].first != NONE) {
            *free_bucket(buckets, bits, table->buckets[i].hash) = table->buckets[i];
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_bits = bits;
}

/* A new key: no bucket has it, so the first free one is its own. */
static void take_bucket(zn_join_table *table, uint32_t hash, uint32_t number) {
    grow_buckets(table);
    *free_bucket(table->buckets, table->bucket_bits, hash) =
        (bucket){ .hash = hash, .first = number };
    table->key_count++;
}

/* Puts a record behind all others; `first` is that of its key, NONE if it is the first one. */
static zonda_err add_entry(zn_join_table *table, uint32_t first, zn_bytes key, zn_bytes record,
                           zonda_error *error) {
    uint64_t at = size(table);
    zonda_err code = first == NONE ? append(table, key, error) : ZONDA_OK;
    if (code == ZONDA_OK) {
        code = append(table, record, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    uint32_t number = (uint32_t)table->count;
    ZN_GROW(table->entries, table->count, table->capacity);
    table->entries[table->count++] = (entry){ .at = at,
                                              .record_bytes = record.len,
                                              .key_bytes = first == NONE ? (uint32_t)key.len : 0,
                                              .next_record = NONE,
                                              .last_record = number };
    if (first != NONE) {
        table->entries[table->entries[first].last_record].next_record = number;
        table->entries[first].last_record = number;
    }
    return ZONDA_OK;
}

zonda_err zn_join_table_add(zn_join_table *table, zn_bytes key, zn_bytes record,
                            zonda_error *error) {
    uint32_t first = NONE;
    zonda_err code = zn_join_table_find(table, key, &first, error);
    if (code != ZONDA_OK || (first != NONE && record.len == 0)) {
        return code; /* a key is known already */
    }
    if (table->count == NONE || key.len > UINT32_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the right side of a broadcast join has at most %" PRIu32 " records",
                            NONE);
    }
    code = make_room(table, record.len + (first == NONE ? key.len : 0), error);
    if (code == ZONDA_OK) {
        code = add_entry(table, first, key, record, error);
    }
    if (code == ZONDA_OK && first == NONE) {
        take_bucket(table, hash_of(key), (uint32_t)table->count - 1);
    }
    return code;
}

void zn_join_table_finish(zn_join_table *table) {
    if (table->count > 0) {
        table->entries = zn_realloc(table->entries, table->count, sizeof *table->entries);
        table->capacity = table->count;
    }
    if (table->bytes.len > 0) {
        table->bytes.data = zn_realloc(table->bytes.data, table->bytes.len, 1);
        table->bytes.capacity = table->bytes.len;
    }
}

zonda_err zn_join_table_each(zn_join_table *table, uint32_t first, zn_join_table_visit *visit,
                             void *context, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (uint32_t at = first; at != NONE && err == ZONDA_OK;) {
        const entry *found = &table->entries[at];
        zn_bytes record;
        err = borrow(table, found->at + found->key_bytes, found->record_bytes, &table->record,
                     &record, error);
        if (err == ZONDA_OK) {
            err = visit(context, record, error);
        }
        at = found->next_record;
    }
    return err;
}
