/* SPDX-License-Identifier: MPL-2.0 */
/* Writes the golden file of every message into a directory. Run by the target update-wire-golden,
 * only when the protocol version changes: the files are what peers of that version send. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sample.h"

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: golden_write DIRECTORY\n");
        return 2;
    }
    int status = 0;
    const zn_layout *layout = NULL;
    static sample_message sample;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zn_buf bytes = { 0 };
        sample_fill(&sample, layout, SAMPLE_MIXED);
        zn_message_encode(&sample.message, &bytes);
        char *path = zn_format("%s/%s.bin", argv[1], layout->name);
        FILE *file = fopen(path, "wb");
        if (file == NULL || fwrite(bytes.data, 1, bytes.len, file) != bytes.len ||
            fclose(file) != 0) {
            perror(path);
            status = 1;
        }
        free(path);
        zn_buf_free(&bytes);
        sample_free(&sample);
    }
    return status;
}
