/* SPDX-License-Identifier: MPL-2.0 */
/* A table as a slot uses it: opened once, with all places in memory, then asked for one part after
 * another. Called by exchange.c. */
#include "ops/exchange_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "ops/exchange_make.h"

enum {
    KEEP_BYTES = ZN_MIB
};

struct zn_exchange_table {
    zn_exchange_file *file;
    zn_memory *memory;
    uint64_t charged;
    uint64_t shards;
    zn_exchange_places places;
    zn_buf values; /* of the part that was read last */
    zn_exchange_stretch *stretches;
    size_t count;
    size_t capacity;
};

static zonda_err corrupt(zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_CORRUPT,
                        "the table of an exchange holds other than it should");
}

static zonda_err read_places(zn_exchange_table *table, zonda_error *error) {
    zn_buf_reset(&table->values, KEEP_BYTES);
    zonda_err code = zn_exchange_file_read(table->file, table->shards, &table->values, error);
    if (code != ZONDA_OK) {
        return code;
    }
    bool whole = zn_exchange_places_take(&table->places, zn_buf_bytes(&table->values));
    return whole ? ZONDA_OK : corrupt(error);
}

/* Opens the file and, if nobody has, makes it. */
static zonda_err open_file(zn_exchange_table *table, const zn_exchange_plan *plan,
                           const zn_exchange_user *user, zonda_error *error) {
    const zn_task_host *host = user->host;
    char *path = zn_format("%s/job%" PRIu64 "-stage%" PRIu32 "-exchange%" PRIu64 ".seg",
                           host->scratch, user->job.value, user->stage.value, user->shard_first);
    table->file = zn_exchange_file_open(path, plan->shards, zn_task_waits, (void *)host, error);
    free(path);
    if (table->file == NULL) {
        return error->code;
    }
    zonda_err code = ZONDA_OK;
    if (!zn_exchange_file_is_whole(table->file)) {
        code = zn_exchange_make(plan, user, table->file, error);
    }
    zn_exchange_file_unlock(table->file);
    return code == ZONDA_OK ? read_places(table, error) : code;
}

zn_exchange_table *zn_exchange_table_open(const zn_exchange_plan *plan,
                                          const zn_exchange_user *user, zonda_error *error) {
    zn_exchange_table *table = ZN_NEW(zn_exchange_table);
    table->shards = plan->shards;
    table->memory = user->host->memory;
    if (open_file(table, plan, user, error) != ZONDA_OK) {
        zn_exchange_table_close(&table);
    }
    return table;
}

void zn_exchange_table_close(zn_exchange_table **table) {
    zn_exchange_table *self = *table;
    if (self == NULL) {
        return;
    }
    zn_memory_give(self->memory, self->charged);
    zn_exchange_file_close(&self->file);
    zn_exchange_places_free(&self->places);
    zn_buf_free(&self->values);
    free(self->stretches);
    free(self);
    *table = NULL;
}

/* Keeps the account at what the part takes. */
static void charge(zn_exchange_table *table) {
    uint64_t bytes = table->values.capacity + table->capacity * sizeof *table->stretches;
    zn_memory_give(table->memory, table->charged);
    zn_memory_force(table->memory, bytes);
    table->charged = bytes;
}

static zonda_err take_stretches(zn_exchange_table *table, zn_cursor *cursor, zonda_error *error) {
    while (cursor->at < cursor->end) {
        ZN_GROW(table->stretches, table->count, table->capacity);
        zn_exchange_stretch *stretch = &table->stretches[table->count];
        if (!zn_exchange_stretch_take(cursor, stretch) || stretch->place >= table->places.count) {
            return corrupt(error);
        }
        table->count++;
    }
    return ZONDA_OK;
}

zonda_err zn_exchange_table_read(zn_exchange_table *table, uint64_t shard,
                                 zn_exchange_borders *borders,
                                 const zn_exchange_stretch **stretches, size_t *count,
                                 zonda_error *error) {
    ZN_ASSERT(shard < table->shards);
    zn_buf_reset(&table->values, KEEP_BYTES);
    table->count = 0;
    zonda_err code = zn_exchange_file_read(table->file, shard, &table->values, error);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&table->values));
    *borders = (zn_exchange_borders){ 0 };
    if (code == ZONDA_OK && table->values.len > 0 && !zn_exchange_borders_take(&cursor, borders)) {
        code = corrupt(error);
    }
    if (code == ZONDA_OK) {
        code = take_stretches(table, &cursor, error);
    }
    charge(table);
    *stretches = table->stretches;
    *count = table->count;
    return code;
}

const zn_exchange_place *zn_exchange_table_place(const zn_exchange_table *table, uint32_t place) {
    ZN_ASSERT(place < table->places.count);
    return &table->places.items[place];
}

void zn_exchange_table_discard(zn_exchange_table *table) {
    zn_exchange_file_discard(table->file);
}
