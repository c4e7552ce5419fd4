/* SPDX-License-Identifier: MPL-2.0 */
/* Checks what operators wrote, without Zonda. Prints a JSON object, or fails with a reason.
 *
 *   bench_check records BYTES KEY_AT FILE…  records of one size: {"records", "hash", "sorted"}: a
 * sum of hashes that no order changes, and whether the 16 bytes at KEY_AT never become smaller,
 * from file to file bench_check pairs FILE…                 records {k, n, m} of a join:
 * {"records", "sum"}; n is m bench_check million COUNT FILE…         records {k, c, s} of an
 * aggregate of COUNT rows: all are right and none is absent: {"records"} */
#include <fcntl.h>
#include <inttypes.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "mix.h"

enum {
    KEY_BYTES = 16,
    PAIR_BYTES = 42,
    PAIR_N_AT = 23,
    PAIR_M_AT = 34,
    KEYS = 1000000
};

static void stop(const char *path, const char *why) {
    fprintf(stderr, "bench_check: %s: %s\n", path, why);
    exit(1);
}

typedef struct view {
    const char *data;
    size_t bytes;
} view;

static view map_file(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        stop(path, "cannot be read");
    }
    view all = { NULL, (size_t)status.st_size };
    if (all.bytes > 0) {
        void *data = mmap(NULL, all.bytes, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) {
            stop(path, "cannot be mapped");
        }
        all.data = data;
    }
    close(file);
    return all;
}

static void unmap_file(view *all) {
    if (all->data != NULL) {
        munmap((void *)(uintptr_t)all->data, all->bytes);
    }
}

static int check_records(size_t bytes, size_t key_at, char **paths, int count) {
    uint64_t records = 0, hash = 0;
    bool sorted = true;
    char last[KEY_BYTES] = { 0 };
    for (int i = 0; i < count; i++) {
        view all = map_file(paths[i]);
        if (all.bytes % bytes != 0) {
            stop(paths[i], "not all records are of that size");
        }
        for (size_t at = 0; at < all.bytes; at += bytes) {
            const char *record = all.data + at;
            sorted = sorted && memcmp(last, record + key_at, KEY_BYTES) <= 0;
            memcpy(last, record + key_at, KEY_BYTES);
            hash += XXH3_64bits(record, bytes);
            records++;
        }
        unmap_file(&all);
    }
    printf("{\"records\": %" PRIu64 ", \"hash\": %" PRIu64 ", \"sorted\": %s}\n", records, hash,
           sorted ? "true" : "false");
    return 0;
}

static uint64_t read_number(const char *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | (uint8_t)at[i];
    }
    return value - (UINT64_C(1) << 40);
}

static int check_pairs(char **paths, int count) {
    uint64_t records = 0, sum = 0;
    for (int i = 0; i < count; i++) {
        view all = map_file(paths[i]);
        if (all.bytes % PAIR_BYTES != 0) {
            stop(paths[i], "not all records are pairs");
        }
        for (size_t at = 0; at < all.bytes; at += PAIR_BYTES) {
            uint64_t n = read_number(all.data + at + PAIR_N_AT);
            if (n != read_number(all.data + at + PAIR_M_AT)) {
                stop(paths[i], "a pair of rows with different keys");
            }
            sum += n;
            records++;
        }
        unmap_file(&all);
    }
    printf("{\"records\": %" PRIu64 ", \"sum\": %" PRIu64 "}\n", records, sum);
    return 0;
}

/* ---- aggregate ---- */

static uint64_t counts[KEYS];
static uint64_t sums[KEYS];

/* Takes the group {k, c, s} out of what is expected. */
static bool take_group(const msgpack_object *group) {
    if (group->type != MSGPACK_OBJECT_MAP || group->via.map.size != 3) {
        return false;
    }
    uint64_t fields[3];
    for (int i = 0; i < 3; i++) {
        const msgpack_object *value = &group->via.map.ptr[i].val;
        if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
            return false;
        }
        fields[i] = value->via.u64;
    }
    uint64_t key = fields[0];
    if (key >= KEYS || counts[key] == 0 || counts[key] != fields[1] || sums[key] != fields[2]) {
        return false;
    }
    counts[key] = 0;
    return true;
}

static uint64_t take_groups(const char *path) {
    view all = map_file(path);
    uint64_t groups = 0;
    msgpack_unpacked value;
    msgpack_unpacked_init(&value);
    for (size_t at = 0; at < all.bytes; groups++) {
        if (msgpack_unpack_next(&value, all.data, all.bytes, &at) != MSGPACK_UNPACK_SUCCESS ||
            !take_group(&value.data)) {
            stop(path, "a group that is wrong or there twice");
        }
    }
    msgpack_unpacked_destroy(&value);
    unmap_file(&all);
    return groups;
}

static int check_million(uint64_t rows, char **paths, int count) {
    for (uint64_t n = 0; n < rows; n++) {
        counts[million_key(n)]++;
        sums[million_key(n)] += n;
    }
    uint64_t groups = 0;
    for (int i = 0; i < count; i++) {
        groups += take_groups(paths[i]);
    }
    for (size_t key = 0; key < KEYS; key++) {
        if (counts[key] != 0) {
            stop("result", "a group is absent");
        }
    }
    printf("{\"records\": %" PRIu64 "}\n", groups);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 4 && strcmp(argv[1], "records") == 0) {
        return check_records(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv + 4,
                             argc - 4);
    }
    if (argc >= 2 && strcmp(argv[1], "pairs") == 0) {
        return check_pairs(argv + 2, argc - 2);
    }
    if (argc >= 3 && strcmp(argv[1], "million") == 0) {
        return check_million(strtoull(argv[2], NULL, 10), argv + 3, argc - 3);
    }
    fprintf(stderr, "usage: bench_check records|pairs|million ...\n");
    return 2;
}
