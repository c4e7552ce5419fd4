/* SPDX-License-Identifier: MPL-2.0 */
/* Keys from outside: whatever the bytes, reading stays inside them, and a value that comes out is a
 * whole one whose key gives it back. */
#include "base/assert.h"
#include "record/key.h"
#include "record/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    zn_bytes bytes = { data, size };
    zn_buf value = { 0 };
    zn_buf key = { 0 };
    zn_buf again = { 0 };
    size_t first = zn_key_first(bytes);
    ZN_ASSERT(first <= size);
    zn_key_has_nil(bytes);
    if (zn_key_value(bytes, &value, NULL) == ZONDA_OK) {
        ZN_ASSERT(first > 0);
        ZN_ASSERT(zn_value_check(zn_buf_bytes(&value), NULL) == ZONDA_OK);
        ZN_ASSERT(zn_key_put(&key, zn_buf_bytes(&value), NULL) == ZONDA_OK);
        ZN_ASSERT(zn_key_first(zn_buf_bytes(&key)) == key.len);
        ZN_ASSERT(zn_key_value(zn_buf_bytes(&key), &again, NULL) == ZONDA_OK);
    }
    zn_buf_free(&again);
    zn_buf_free(&key);
    zn_buf_free(&value);
    return 0;
}
