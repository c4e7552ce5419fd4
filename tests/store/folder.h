/* SPDX-License-Identifier: MPL-2.0 */
/* A temporary folder per test and whole files in it, for the tests of this layer. */
#ifndef ZN_TESTS_STORE_FOLDER_H
#define ZN_TESTS_STORE_FOLDER_H

#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static inline int folder_setup(void **state) {
    char *path = zn_strdup("/tmp/zonda-test-XXXXXX");
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static inline int folder_unlink(const char *path, const struct stat *status, int type,
                                struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static inline int folder_teardown(void **state) {
    int code = nftw(*state, folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return code;
}

#define folder_test(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)

static inline void file_put(const char *path, zn_bytes bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static inline zn_buf file_get(const char *path) {
    zn_buf out = { 0 };
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        zn_buf_append(&out, piece, got);
    }
    fclose(file);
    return out;
}

/* Number of entries, without "." and "..". */
static inline size_t folder_count(const char *path) {
    char *command = zn_format("ls -A '%s' | wc -l", path);
    FILE *pipe = popen(command, "r");
    size_t count = 0;
    assert_int_equal(fscanf(pipe, "%zu", &count), 1);
    pclose(pipe);
    free(command);
    return count;
}

/* Bytes that do not compress well, always the same. */
static inline void fill_noise(zn_buf *out, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        zn_buf_append_byte(out, (uint8_t)(seed >> 56));
    }
}

#endif
