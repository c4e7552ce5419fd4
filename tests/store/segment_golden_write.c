/* SPDX-License-Identifier: MPL-2.0 */
/* Writes the golden segments into a directory and prints where their results are, for the table in
 * golden_segments.c. Run by the target update-segment-golden, only when the format of segments gets
 * another version: the files are what workers of this one write. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "golden_segments.h"

static bool write_one(golden_kind kind, const char *directory) {
    zonda_error error = { 0 };
    zn_stretch result = { 0 };
    char *name = golden_write_segment(kind, directory, &result, &error);
    if (name == NULL) {
        fprintf(stderr, "%s: %s\n", golden_segments[kind].file, error.text);
        return false;
    }
    char *from = zn_format("%s/%s", directory, name);
    char *to = zn_format("%s/%s", directory, golden_segments[kind].file);
    bool ok = rename(from, to) == 0;
    printf("%s: { %" PRIu64 ", %" PRIu64 " }\n", golden_segments[kind].file, result.offset,
           result.length);
    free(from);
    free(to);
    free(name);
    return ok;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: segment_golden_write DIRECTORY\n");
        return 2;
    }
    bool ok = true;
    for (golden_kind kind = 0; kind < GOLDEN_KINDS; kind++) {
        ok = write_one(kind, argv[1]) && ok;
    }
    return ok ? 0 : 1;
}
