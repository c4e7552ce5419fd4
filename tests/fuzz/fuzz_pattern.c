/* SPDX-License-Identifier: MPL-2.0 */
/* Any text as an output pattern. One that passes the check names a file for every shard, another
 * one for each; what is in common stands at the begin of all. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void render(const char *pattern, uint64_t shards) {
    const char *rest = NULL;
    char *folder = zn_pattern_folder(pattern, &rest);
    char *first = zn_pattern_path(pattern, 0, shards);
    char *last = zn_pattern_path(pattern, shards - 1, shards);
    ZN_ASSERT(first[0] != '\0');
    ZN_ASSERT(shards == 1 || strcmp(first, last) != 0);
    ZN_ASSERT(rest >= pattern && rest <= pattern + strlen(pattern));
    free(last);
    free(first);
    free(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t counts[] = { 1, 2, 100001, UINT64_MAX };
    char *pattern = zn_alloc(size + 1);
    memcpy(pattern, data, size);
    pattern[size] = '\0';
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        zonda_error error = { 0 };
        zonda_err code = zn_pattern_check(pattern, counts[i], &error);
        ZN_ASSERT(code == error.code && (code == ZONDA_OK) == (error.text[0] == '\0'));
        if (code == ZONDA_OK) {
            render(pattern, counts[i]);
        }
    }
    free(pattern);
    return 0;
}
