/* SPDX-License-Identifier: MPL-2.0 */
/* The JSONL reader: see fuzz_reader.h. The first byte picks the limit and the size of pieces. */
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0) {
        zn_bytes bytes = { data + 1, size - 1 };
        fuzz_read(&zn_reader_jsonl, bytes, 1 + (size_t)data[0] * 4);
        fuzz_frame(zn_reader_jsonl.framer(true), bytes, 1 + (size_t)data[0] % 7);
    }
    return 0;
}
