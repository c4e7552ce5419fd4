/* SPDX-License-Identifier: MPL-2.0 */
/* The right records of one key of a join. Nearly always they are few and stay in memory that is
 * kept from key to key. When the account refuses more, all of them move to a temporary file, which
 * lives until the key is over; reading it again costs less than the pairs that come of it. */
#include "ops/join_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/run_file.h"

/* To write a file takes memory, too, so as much needs no permission. */
enum {
    FLOOR_BYTES = 16 * ZN_KIB, /* kept from key to key */
    FREE_BYTES = ZN_RUN_FILE_MEMORY_BYTES
};

struct zn_join_buffer {
    const char *scratch;
    zn_memory *memory;
    uint8_t *data; /* records behind each other */
    size_t len;
    size_t capacity;   /* what is charged */
    zn_run_file *file; /* NULL: the records are in memory */
    bool sealed;       /* the file is complete: */
    zn_stretch stretch;
    uint64_t spilled_bytes; /* of files that are gone */
};

zn_join_buffer *zn_join_buffer_new(const char *scratch, zn_memory *memory) {
    zn_join_buffer *buffer = ZN_NEW(zn_join_buffer);
    buffer->scratch = scratch;
    buffer->memory = memory;
    buffer->data = zn_alloc(FLOOR_BYTES);
    buffer->capacity = FLOOR_BYTES;
    zn_memory_force(memory, FLOOR_BYTES);
    return buffer;
}

static void close_file(zn_join_buffer *buffer) {
    if (buffer->file != NULL) {
        buffer->spilled_bytes += zn_run_file_bytes(buffer->file);
        zn_run_file_destroy(&buffer->file);
        zn_memory_give(buffer->memory, ZN_RUN_FILE_MEMORY_BYTES);
    }
    buffer->sealed = false;
}

void zn_join_buffer_destroy(zn_join_buffer **buffer) {
    zn_join_buffer *self = *buffer;
    if (self == NULL) {
        return;
    }
    close_file(self);
    zn_memory_give(self->memory, self->capacity);
    free(self->data);
    free(self);
    *buffer = NULL;
}

static void resize(zn_join_buffer *buffer, size_t capacity) {
    buffer->data = zn_realloc(buffer->data, capacity, 1);
    buffer->capacity = capacity;
}

/* Gives back what is above the floor. */
static void shrink(zn_join_buffer *buffer) {
    if (buffer->capacity > FLOOR_BYTES) {
        zn_memory_give(buffer->memory, buffer->capacity - FLOOR_BYTES);
        resize(buffer, FLOOR_BYTES);
    }
}

/* Whether there is room in memory for so many more bytes; makes it if the account allows. */
static bool make_room(zn_join_buffer *buffer, size_t bytes) {
    size_t needed = buffer->len + bytes;
    if (needed <= buffer->capacity) {
        return true;
    }
    size_t wanted = needed > 2 * buffer->capacity ? needed : 2 * buffer->capacity;
    if (!zn_memory_take(buffer->memory, wanted - buffer->capacity)) {
        if (needed > FREE_BYTES) {
            return false;
        }
        wanted = wanted > FREE_BYTES ? FREE_BYTES : wanted;
        zn_memory_force(buffer->memory, wanted - buffer->capacity);
    }
    resize(buffer, wanted);
    return true;
}

static zonda_err spill(zn_join_buffer *buffer, zonda_error *error) {
    buffer->file = zn_run_file_new(buffer->scratch, error);
    if (buffer->file == NULL) {
        return error->code;
    }
    zn_memory_force(buffer->memory, ZN_RUN_FILE_MEMORY_BYTES);
    zonda_err err = ZONDA_OK;
    zn_cursor cursor = zn_cursor_of((zn_bytes){ buffer->data, buffer->len });
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = zn_run_file_add(buffer->file, (zn_bytes){ 0 }, zn_cursor_skip(&cursor), error);
    }
    buffer->len = 0;
    shrink(buffer);
    return err;
}

zonda_err zn_join_buffer_add(zn_join_buffer *buffer, zn_bytes record, zonda_error *error) {
    ZN_ASSERT(!buffer->sealed);
    if (buffer->file == NULL && make_room(buffer, record.len)) {
        memcpy(buffer->data + buffer->len, record.data, record.len);
        buffer->len += record.len;
        return ZONDA_OK;
    }
    zonda_err err = buffer->file == NULL ? spill(buffer, error) : ZONDA_OK;
    return err != ZONDA_OK ? err : zn_run_file_add(buffer->file, (zn_bytes){ 0 }, record, error);
}

static zonda_err visit_all(zn_bytes values, zn_join_visit *visit, void *context,
                           zonda_error *error) {
    zonda_err err = ZONDA_OK;
    zn_cursor cursor = zn_cursor_of(values);
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = visit(context, zn_cursor_skip(&cursor), error);
    }
    return err;
}

static zonda_err visit_file(zn_join_buffer *buffer, zn_join_visit *visit, void *context,
                            zonda_error *error) {
    zonda_err err = ZONDA_OK;
    if (!buffer->sealed) {
        err = zn_run_file_end(buffer->file, &buffer->stretch, error);
        buffer->sealed = err == ZONDA_OK;
    }
    if (err != ZONDA_OK) {
        return err;
    }
    zn_run_reader *reader = zn_run_reader_new(buffer->file, buffer->stretch, buffer->memory);
    uint32_t count = 1;
    while (err == ZONDA_OK && count > 0) {
        zn_bytes values = { 0 };
        err = zn_run_reader_next(reader, &values, &count, error);
        if (err == ZONDA_OK && count > 0) {
            err = visit_all(values, visit, context, error);
        }
    }
    zn_run_reader_destroy(&reader);
    return err;
}

zonda_err zn_join_buffer_each(zn_join_buffer *buffer, zn_join_visit *visit, void *context,
                              zonda_error *error) {
    return buffer->file != NULL
               ? visit_file(buffer, visit, context, error)
               : visit_all((zn_bytes){ buffer->data, buffer->len }, visit, context, error);
}

void zn_join_buffer_clear(zn_join_buffer *buffer) {
    close_file(buffer);
    buffer->len = 0;
    shrink(buffer);
}

uint64_t zn_join_buffer_spilled_bytes(const zn_join_buffer *buffer) {
    return buffer->spilled_bytes + (buffer->file == NULL ? 0 : zn_run_file_bytes(buffer->file));
}
