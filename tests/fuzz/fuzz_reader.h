/* SPDX-License-Identifier: MPL-2.0 */
/* What must hold for a reader whatever the bytes: records pass the check and keep the limit, bad
 * ones have a cause, and the bytes of bad ones are bytes of the file. And for a framer: records end
 * in the same places however the bytes are cut. */
#ifndef ZN_TESTS_FUZZ_READER_H
#define ZN_TESTS_FUZZ_READER_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "ops/reader.h"
#include "record/value.h"

static inline void fuzz_items(zn_reader *reader, size_t size, size_t record_max) {
    zonda_error error = { 0 };
    size_t raw = 0;
    for (;;) {
        zn_reader_item item;
        ZN_ASSERT(zn_reader_next(reader, &item, &error) == ZONDA_OK);
        if (item.kind == ZN_READER_END) {
            break;
        }
        if (item.kind == ZN_READER_RECORD) {
            ZN_ASSERT(item.record.len <= record_max);
            ZN_ASSERT(zn_value_check(item.record, &error) == ZONDA_OK);
            continue;
        }
        ZN_ASSERT(item.cause->code != ZONDA_OK && item.cause->text[0] != '\0');
        raw += item.raw.len;
        for (bool got = true; got;) {
            zn_bytes more = { 0 };
            ZN_ASSERT(zn_reader_raw(reader, &more, &got, &error) == ZONDA_OK);
            raw += got ? more.len : 0;
        }
    }
    ZN_ASSERT(raw <= size);
}

static inline void fuzz_read(const zn_reader_format *format, zn_bytes bytes, size_t record_max) {
    int fd = memfd_create("fuzz", 0);
    ZN_ASSERT(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
    char *path = zn_format("/proc/self/fd/%d", fd);
    zn_reader *reader = zn_reader_new(format, record_max);
    zonda_error error = { 0 };
    if (zn_reader_open(reader, path, (zn_file_range){ 0 }, &error) == ZONDA_OK) {
        fuzz_items(reader, bytes.len, record_max);
    } else {
        ZN_ASSERT(error.code == ZONDA_ERR_BAD_RECORD && error.text[0] != '\0');
    }
    zn_reader_destroy(&reader);
    free(path);
    close(fd);
}

/* The sum of the ends of records, when `piece` more bytes are shown at a time. */
static inline uint64_t fuzz_ends(zn_framer framer, zn_bytes bytes, size_t piece) {
    uint64_t sum = 0;
    size_t seen = 0;
    for (size_t end = 0; end < bytes.len;) {
        end = bytes.len - end < piece ? bytes.len : end + piece;
        for (bool whole = true; whole && seen < end;) {
            whole = false;
            zn_bytes more = { bytes.data + seen, end - seen };
            size_t used = framer.scan(&framer, more, &whole);
            ZN_ASSERT(used <= more.len && (used > 0 || !whole));
            seen += used;
            sum += whole ? seen * seen + 1 : 0;
        }
    }
    return sum;
}

static inline void fuzz_frame(zn_framer framer, zn_bytes bytes, size_t piece) {
    ZN_ASSERT(fuzz_ends(framer, bytes, piece) == fuzz_ends(framer, bytes, bytes.len + 1));
}

#endif
