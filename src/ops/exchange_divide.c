/* SPDX-License-Identifier: MPL-2.0 */
/* The share of shard s begins where s of `shards` parts of all bytes lie before it. Of ranges only
 * the samples are known: each stands for the bytes from its row up to the next one, so a border is
 * the first sample, in the order of (key, input, task), with at least so many bytes before it.
 * Everything follows from the rows alone, so all workers find the same borders. Borders that fall
 * together leave shards empty between them, and fewer ranges than shards leave the last ones empty.
 * Used when a table is made. */
#include "ops/exchange_divide.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum {
    SUFFIX_BYTES = 16, /* behind the key of a sample: input, task, number; big-endian */
    KEEP_BYTES = 64 * ZN_KIB,
    READ_TIMES = 8,           /* all ranges together may read all rows so often, */
    READ_FREE = 512 * ZN_MIB, /* and so many bytes, */
    READ_COST = 16 * ZN_KIB   /* where to read a block counts as so many bytes more */
};

/* A border of ranges; its key is in `keys`. */
typedef struct range_border {
    size_t offset;
    size_t len;
    uint32_t input;
    uint32_t task;
} range_border;

struct zn_exchange_division {
    zn_exchange_way way;
    uint64_t shards;
    uint64_t parts;  /* shards that get something: all, or fewer ranges */
    uint64_t total;  /* bytes */
    uint64_t blocks; /* that they are in */
    uint64_t tasks;  /* of inputs that samples are of */
    uint32_t input;  /* the last of them */
    uint32_t task;
    zn_sorter *sorter;
    uint64_t samples;
    zn_buf key;    /* of a sample, with what is behind it */
    zn_buf record; /* of a sample */
    range_border *ranges;
    size_t range_count; /* at most one less than shards; there is nothing behind the last one */
    size_t range_capacity;
    zn_buf keys;
    uint64_t passed; /* bytes of the samples that were passed */
};

zn_exchange_division *zn_exchange_division_new(zn_exchange_way way, uint64_t shards,
                                               zn_sorter *sorter) {
    ZN_ASSERT(shards > 0);
    zn_exchange_division *division = ZN_NEW(zn_exchange_division);
    division->way = way;
    division->shards = shards;
    division->parts = shards;
    division->sorter = sorter;
    return division;
}

void zn_exchange_division_destroy(zn_exchange_division **division) {
    zn_exchange_division *self = *division;
    if (self == NULL) {
        return;
    }
    zn_buf_free(&self->key);
    zn_buf_free(&self->record);
    zn_buf_free(&self->keys);
    free(self->ranges);
    free(self);
    *division = NULL;
}

/* ---- what is divided ---- */

void zn_exchange_division_add_bytes(zn_exchange_division *division, uint64_t bytes) {
    division->total += bytes;
    division->blocks++;
}

static void append_big_endian(zn_buf *out, uint64_t value, unsigned bytes) {
    while (bytes > 0) {
        zn_buf_append_byte(out, (uint8_t)(value >> (8 * --bytes)));
    }
}

static uint32_t read_big_endian(const uint8_t *in) {
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

zonda_err zn_exchange_division_add_sample(zn_exchange_division *division, uint32_t input,
                                          uint32_t task, zn_bytes key, uint64_t bytes,
                                          zonda_error *error) {
    if (division->tasks == 0 || division->input != input || division->task != task) {
        division->tasks++;
        division->input = input;
        division->task = task;
    }
    zn_buf_reset(&division->key, KEEP_BYTES);
    zn_buf_append(&division->key, key.data, key.len);
    append_big_endian(&division->key, input, 4);
    append_big_endian(&division->key, task, 4);
    append_big_endian(&division->key, division->samples++, 8);
    zn_buf_reset(&division->record, KEEP_BYTES);
    zn_put_uint(&division->record, bytes);
    return zn_sorter_add(division->sorter, 0, zn_buf_bytes(&division->key),
                         zn_buf_bytes(&division->record), error);
}

/* ---- borders ---- */

/* Bytes before the share of a shard, as exactly as whole numbers allow, without overflow. */
static uint64_t share_begin(const zn_exchange_division *division, uint64_t shard) {
    uint64_t whole = division->total / division->parts;
    uint64_t rest = division->total % division->parts;
    return whole * shard + rest * shard / division->parts;
}

/* A range reads a block or more of every task, whatever it needs of it. So of little in many tasks
 * fewer ranges are made than shards. */
static uint64_t count_ranges(const zn_exchange_division *division) {
    if (division->tasks == 0) {
        return division->shards;
    }
    uint64_t block = division->total / division->blocks + READ_COST;
    uint64_t ranges = (READ_TIMES * division->total + READ_FREE) / (division->tasks * block);
    ranges = ranges < division->shards ? ranges : division->shards;
    return ranges > 0 ? ranges : 1;
}

/* For the sorter: the samples in order. */
static zonda_err pass_sample(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                             zonda_error *error) {
    (void)partition;
    (void)error;
    zn_exchange_division *division = context;
    ZN_ASSERT(key.len >= SUFFIX_BYTES);
    size_t before = division->range_count;
    range_border border = { .offset = division->keys.len, .len = key.len - SUFFIX_BYTES };
    border.input = read_big_endian(key.data + border.len);
    border.task = read_big_endian(key.data + border.len + 4);
    while (division->range_count + 1 < division->parts &&
           division->passed >= share_begin(division, division->range_count + 1)) {
        ZN_GROW(division->ranges, division->range_count, division->range_capacity);
        division->ranges[division->range_count++] = border;
    }
    if (division->range_count > before) {
        zn_buf_append(&division->keys, key.data, border.len);
    }
    division->passed += zn_value_head(record).uinteger;
    return ZONDA_OK;
}

zonda_err zn_exchange_division_settle(zn_exchange_division *division, zonda_error *error) {
    if (division->way != ZN_EXCHANGE_RANGE) {
        return ZONDA_OK;
    }
    division->parts = count_ranges(division);
    return zn_sorter_drain(division->sorter, pass_sample, division, error);
}

/* Where a shard begins. */
static zn_exchange_border border_before(const zn_exchange_division *division, uint64_t shard) {
    if (shard == 0 || shard >= division->shards) {
        return (zn_exchange_border){ 0 };
    }
    if (division->way == ZN_EXCHANGE_BYTES) {
        return (zn_exchange_border){ .set = true, .begin = share_begin(division, shard) };
    }
    if (shard > division->range_count) {
        return (zn_exchange_border){ 0 };
    }
    const range_border *range = &division->ranges[shard - 1];
    return (zn_exchange_border){ .set = true,
                                 .key = { division->keys.data + range->offset, range->len },
                                 .input = range->input,
                                 .task = range->task };
}

zn_exchange_borders zn_exchange_division_borders(const zn_exchange_division *division,
                                                 uint64_t shard) {
    return (zn_exchange_borders){ .lower = border_before(division, shard),
                                  .upper = border_before(division, shard + 1) };
}

uint64_t zn_exchange_division_shard(const zn_exchange_division *division,
                                    const zn_exchange_border *row) {
    uint64_t low = 0;
    uint64_t high =
        division->way == ZN_EXCHANGE_BYTES ? division->shards - 1 : division->range_count;
    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        zn_exchange_border border = border_before(division, middle);
        if (zn_exchange_is_before(division->way, row, &border)) {
            high = middle - 1;
        } else {
            low = middle;
        }
    }
    return low;
}
