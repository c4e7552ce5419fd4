/* SPDX-License-Identifier: MPL-2.0 */
/* The tail of SQLite's write-ahead log. A log is a header and frames; a frame is a header and a
 * page. Frames carry the salts of the header; those with other salts are left over from before the
 * log was begun anew. Checksums run on from frame to frame.
 * Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
#include "coordinator/wal_check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
    HEADER_BYTES = 32,
    FRAME_BYTES = 24,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,
    MAGIC_LITTLE = 0x377f0682
};

static uint32_t get_big(const uint8_t *in) {
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static uint32_t get_word(const uint8_t *in, bool big) {
    uint32_t word = get_big(in);
    return big ? word : __builtin_bswap32(word);
}

/* Both sums, carried on over `len` bytes (a multiple of 8). */
static void add(uint32_t sums[2], const uint8_t *bytes, size_t len, bool big) {
    for (size_t i = 0; i < len; i += 8) {
        sums[0] += get_word(bytes + i, big) + sums[1];
        sums[1] += get_word(bytes + i + 4, big) + sums[0];
    }
}

/* Counts frames; false if one of this log is torn. */
static bool check_frames(FILE *file, const uint8_t *header, uint64_t *frames) {
    uint32_t page_bytes = get_big(header + 8);
    bool big = get_big(header) != MAGIC_LITTLE;
    uint32_t sums[2] = { get_big(header + 24), get_big(header + 28) };
    if (page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX) {
        return false;
    }
    size_t len = FRAME_BYTES + page_bytes;
    uint8_t *frame = zn_alloc(len);
    size_t got = 0;
    bool whole = true;
    while (whole && (got = fread(frame, 1, len, file)) == len &&
           memcmp(frame + 8, header + 16, 8) == 0) {
        add(sums, frame, 8, big);
        add(sums, frame + FRAME_BYTES, page_bytes, big);
        whole = sums[0] == get_big(frame + 16) && sums[1] == get_big(frame + 20);
        *frames += whole ? 1 : 0;
    }
    bool half = got > 0 && got < len && (got < 16 || memcmp(frame + 8, header + 16, 8) == 0);
    free(frame);
    return whole && !half;
}

bool zn_wal_check(const char *database) {
    char *path = zn_format("%s-wal", database);
    FILE *file = fopen(path, "rbe");
    uint8_t header[HEADER_BYTES];
    uint64_t frames = 0;
    bool torn = file != NULL && fread(header, 1, sizeof header, file) == sizeof header &&
                !check_frames(file, header, &frames);
    if (torn) {
        zn_log(ZONDA_LOG_WARN, "state-tail-torn", "file=%s whole_frames=%llu", path,
               (unsigned long long)frames);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(path);
    return torn;
}
