/* SPDX-License-Identifier: MPL-2.0 */
/* Sample messages from the layouts: what a new message needs to be tested is a line in the table.
 * The mixed samples are the content of the golden files, so their values never change. */
#include "sample.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static void *remember(sample_message *sample, void *block) {
    ZN_ASSERT(sample->block_count < SAMPLE_BLOCKS_MAX);
    sample->blocks[sample->block_count++] = block;
    return block;
}

static uint64_t number_of(sample_message *sample, const zn_field *field, sample_kind kind) {
    if (kind == SAMPLE_FULL) {
        return field->max;
    }
    uint64_t value = UINT64_C(0xfedcba9876543210) >> (8 * (sample->next % 8));
    return field->max == UINT64_MAX ? value : value % (field->max + 1);
}

static zn_bytes bytes_of(sample_message *sample, const zn_field *field, sample_kind kind) {
    size_t len = (size_t)field->max;
    if (kind == SAMPLE_MIXED && len > 16) {
        len = 7 + (size_t)sample->next % 9;
    }
    uint8_t *bytes = remember(sample, zn_alloc(len));
    for (size_t i = 0; i < len; i++) {
        uint64_t at = sample->next + i;
        bytes[i] = (uint8_t)(field->kind == ZN_FIELD_TEXT ? 'a' + at % 26 : at * 29);
    }
    if (field->kind == ZN_FIELD_TEXT) {
        memcpy(bytes, "é→", 5);
    }
    return (zn_bytes){ bytes, len };
}

static void fill(sample_message *sample, const zn_layout *layout, sample_kind kind, uint8_t *base) {
    for (size_t i = 0; i < layout->field_count; i++) {
        const zn_field *field = &layout->fields[i];
        void *out = base + field->offset;
        sample->next++;
        if (field->kind == ZN_FIELD_UNSIGNED) {
            *(uint64_t *)out = number_of(sample, field, kind);
        } else if (field->kind == ZN_FIELD_SIGNED) {
            int64_t odd = sample->next % 2 == 0 ? 1 : -1;
            *(int64_t *)out = kind == SAMPLE_FULL ? (odd > 0 ? INT64_MAX : INT64_MIN)
                                                  : odd * (int64_t)(sample->next * 1000003);
        } else if (field->kind != ZN_FIELD_LIST) {
            *(zn_bytes *)out = bytes_of(sample, field, kind);
        } else {
            const zn_layout *record = field->record();
            size_t count = field->max < 2 ? (size_t)field->max : 2;
            uint8_t *items = remember(sample, zn_calloc(count, record->struct_bytes));
            for (size_t item = 0; item < count; item++) {
                fill(sample, record, kind, items + item * record->struct_bytes);
            }
            *(void **)out = items;
            *(size_t *)(void *)(base + field->count_offset) = count;
        }
    }
}

void sample_fill(sample_message *sample, const zn_layout *layout, sample_kind kind) {
    memset(sample, 0, sizeof *sample);
    sample->message.number = (zn_message_number)layout->number;
    if (kind != SAMPLE_EMPTY) {
        fill(sample, layout, kind, zn_message_fields(&sample->message));
    }
}

void sample_free(sample_message *sample) {
    for (size_t i = 0; i < sample->block_count; i++) {
        free(sample->blocks[i]);
    }
    sample->block_count = 0;
}

static int write_to_buf(void *context, const char *data, size_t len) {
    zn_buf_append(context, data, len);
    return 0;
}

void sample_write_empty(const zn_field *field, zn_buf *out) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_to_buf);
    switch (field->kind) {
    case ZN_FIELD_UNSIGNED:
    case ZN_FIELD_SIGNED:
        msgpack_pack_uint8(&packer, 0);
        break;
    case ZN_FIELD_TEXT:
        msgpack_pack_str(&packer, 0);
        break;
    case ZN_FIELD_BINARY:
        msgpack_pack_bin(&packer, 0);
        break;
    case ZN_FIELD_LIST:
        msgpack_pack_array(&packer, 0);
        break;
    }
}

static void write_filled(msgpack_packer *packer, zn_field_kind kind, size_t len) {
    char *filler = zn_calloc(len, 1);
    memset(filler, 'x', len);
    if (kind == ZN_FIELD_TEXT) {
        msgpack_pack_str(packer, len);
        msgpack_pack_str_body(packer, filler, len);
    } else {
        msgpack_pack_bin(packer, len);
        msgpack_pack_bin_body(packer, filler, len);
    }
    free(filler);
}

/* Writes the value that is one over the limit; false if there is none. */
static bool write_over(const zn_field *field, msgpack_packer *packer, zn_buf *out) {
    switch (field->kind) {
    case ZN_FIELD_UNSIGNED:
        if (field->max == UINT64_MAX) {
            msgpack_pack_int8(packer, -1);
        } else {
            msgpack_pack_uint64(packer, field->max + 1);
        }
        return true;
    case ZN_FIELD_SIGNED:
        msgpack_pack_uint64(packer, (uint64_t)INT64_MAX + 1);
        return true;
    case ZN_FIELD_TEXT:
    case ZN_FIELD_BINARY:
        write_filled(packer, field->kind, (size_t)field->max + 1);
        return true;
    case ZN_FIELD_LIST:
        msgpack_pack_array(packer, (size_t)field->max + 1);
        for (uint64_t i = 0; i <= field->max; i++) {
            const zn_layout *record = field->record();
            msgpack_pack_array(packer, record->field_count);
            for (size_t j = 0; j < record->field_count; j++) {
                sample_write_empty(&record->fields[j], out);
            }
        }
        return true;
    }
    return false;
}

static void write_other_type(const zn_field *field, msgpack_packer *packer) {
    switch (field->kind) {
    case ZN_FIELD_UNSIGNED:
    case ZN_FIELD_SIGNED:
        msgpack_pack_double(packer, 1.0);
        break;
    case ZN_FIELD_TEXT:
        msgpack_pack_bin(packer, 0);
        break;
    case ZN_FIELD_BINARY:
        msgpack_pack_str(packer, 0);
        break;
    case ZN_FIELD_LIST:
        msgpack_pack_map(packer, 0);
        break;
    }
}

static bool write_defect(const zn_field *field, sample_defect defect, zn_buf *out) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_to_buf);
    bool is_text = field->kind == ZN_FIELD_TEXT;
    switch (defect) {
    case DEFECT_NIL:
        msgpack_pack_nil(&packer);
        return true;
    case DEFECT_TYPE:
        write_other_type(field, &packer);
        return true;
    case DEFECT_OVER:
        return write_over(field, &packer, out);
    case DEFECT_TEXT:
    case DEFECT_NUL:
        msgpack_pack_str(&packer, 1);
        msgpack_pack_str_body(&packer, defect == DEFECT_NUL ? "\0" : "\xff", 1);
        return is_text;
    case DEFECT_ELEMENT:
        msgpack_pack_array(&packer, 1);
        msgpack_pack_array(&packer, 0);
        return field->kind == ZN_FIELD_LIST;
    case DEFECT_NONE:
    case DEFECT_COUNT:
        break;
    }
    sample_write_empty(field, out);
    return true;
}

bool sample_write_defect(const zn_layout *layout, size_t index, sample_defect defect, zn_buf *out) {
    msgpack_packer packer;
    size_t before = out->len;
    msgpack_packer_init(&packer, out, write_to_buf);
    msgpack_pack_array(&packer, layout->field_count + 1);
    msgpack_pack_uint64(&packer, layout->number);
    bool possible = true;
    for (size_t i = 0; i < layout->field_count; i++) {
        sample_defect wanted = i == index ? defect : DEFECT_NONE;
        possible = write_defect(&layout->fields[i], wanted, out) && possible;
    }
    if (!possible) {
        out->len = before;
    }
    return possible;
}

void sample_read_file(const char *path, zn_buf *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    uint8_t block[4096];
    size_t got = 0;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        zn_buf_append(out, block, got);
    }
    fclose(file);
}
