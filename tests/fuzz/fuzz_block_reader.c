/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a segment, and any stretch of it. The first bytes choose how many of those that
 * follow are put behind headers that fit, so that the fuzzer gets past the checksums. Whatever the
 * file is, a reader stays inside its stretch and gives back the memory that it was charged for. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/digest.h"
#include "record/value.h"
#include "store/block.h"
#include "store/block_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHOICE_BYTES = 8
};

static const char segment_name[] = "job1-stage0-fuzz.seg";
static char folder[] = "/tmp/zonda-fuzz-XXXXXX";
static zn_fetcher *fetcher;

static void check(bool good) {
    if (!good) {
        abort();
    }
}

static void end(void) {
    zn_fetcher_destroy(&fetcher);
    rmdir(folder);
}

static void put_block(zn_buf *out, uint32_t count, zn_bytes values) {
    uint8_t header[ZN_BLOCK_HEADER_BYTES] = { 'Z', 'N', 'B', '1' };
    zn_put_u32(header + 8, count);
    zn_put_u32(header + 16, (uint32_t)values.len);
    zn_put_u32(header + 20, (uint32_t)values.len);
    zn_put_u64(header + 24, zn_checksum(values));
    zn_buf_append(out, header, sizeof header);
    zn_buf_append(out, values.data, values.len);
}

/* Two blocks of `data`, as long as the choice says, then the rest as it is. */
static zn_buf make_file(const uint8_t *data, size_t size) {
    zn_buf out = { 0 };
    size_t at = CHOICE_BYTES;
    for (size_t i = 0; i < 2; i++) {
        size_t len = data[i] < size - at ? data[i] : size - at;
        if (len > 0) {
            put_block(&out, data[2 + i], (zn_bytes){ data + at, len });
        }
        at += len;
    }
    zn_buf_append(&out, data + at, size - at);
    return out;
}

static void write_file(const char *path, zn_bytes bytes) {
    FILE *file = fopen(path, "wb");
    check(file != NULL && fwrite(bytes.data, 1, bytes.len, file) == bytes.len);
    check(fclose(file) == 0);
}

static void read_stretch(zn_stretch stretch) {
    zn_memory memory = { .limit = 1 };
    zonda_error error = { 0 };
    zn_place place = { .endpoint = "inproc://nobody",
                       .folder = folder,
                       .segment = zn_bytes_of_text(segment_name) };
    zn_block_reader *reader = zn_block_reader_open(fetcher, &place, stretch, &memory, &error);
    check(reader != NULL);
    uint32_t count = 1;
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK && count > 0) {
        zn_bytes values = { 0 };
        code = zn_block_reader_next(reader, &values, &count, &error);
        zn_cursor cursor = zn_cursor_of(values);
        for (uint32_t i = 0; code == ZONDA_OK && i < count; i++) {
            check(cursor.at < cursor.end);
            zn_cursor_skip(&cursor);
        }
        check(code != ZONDA_OK || cursor.at == cursor.end);
        check(zn_block_reader_position(reader) <= stretch.offset + stretch.length);
    }
    check(code == ZONDA_OK || (code == ZONDA_ERR_CORRUPT && error.text[0] != '\0'));
    zn_block_reader_close(&reader);
    check(memory.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (fetcher == NULL) {
        fetcher = zn_fetcher_new(1);
        check(mkdtemp(folder) != NULL);
        atexit(end);
    }
    if (size <= CHOICE_BYTES) {
        return 0;
    }
    char path[sizeof folder + sizeof segment_name];
    snprintf(path, sizeof path, "%s/%s", folder, segment_name);
    zn_buf file = make_file(data, size);
    write_file(path, zn_buf_bytes(&file));
    read_stretch((zn_stretch){ data[4], data[5] });
    read_stretch((zn_stretch){ 0, file.len });
    read_stretch((zn_stretch){ data[6], file.len - data[7] % file.len });
    unlink(path);
    zn_buf_free(&file);
    return 0;
}
