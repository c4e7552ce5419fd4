/* SPDX-License-Identifier: MPL-2.0 */
/* Blobs: parts in order, verified at the end, bounded in total, freed with the last reference. */
#include "test.h"

#include "coordinator/blob_store.h"

static const uint8_t content[] = "0123456789abcdef";
enum {
    CONTENT = 16
};

static zn_bytes part(size_t from, size_t to) {
    return (zn_bytes){ content + from, to - from };
}

static zn_blob *add(zn_blob_store *store, zn_digest digest, uint64_t size) {
    zonda_error error;
    zn_blob *blob = NULL;
    assert_ok(zn_blob_store_add(store, digest, size, &blob, &error), error);
    return blob;
}

/* Parts that come in order, twice or overlapping give the blob; a gap is not stored. */
static void test_blob_store_parts_make_blob(void **state) {
    (void)state;
    zonda_error error;
    zn_blob_store *store = zn_blob_store_new(100);
    zn_digest digest = zn_digest_of(part(0, CONTENT));
    assert_null(zn_blob_store_find(store, digest));
    zn_blob *blob = add(store, digest, CONTENT);
    assert_ok(zn_blob_append(blob, 0, part(0, 4), &error), error);
    assert_ok(zn_blob_append(blob, 0, part(0, 4), &error), error);
    assert_int_equal(zn_blob_received(blob), 4);
    assert_ok(zn_blob_append(blob, 8, part(8, 12), &error), error);
    assert_int_equal(zn_blob_received(blob), 4);
    assert_ok(zn_blob_append(blob, 2, part(2, 10), &error), error);
    assert_int_equal(zn_blob_received(blob), 10);
    assert_false(zn_blob_complete(blob));
    assert_ok(zn_blob_append(blob, 10, part(10, CONTENT), &error), error);
    assert_true(zn_blob_complete(blob));
    assert_memory_equal(zn_blob_bytes(blob).data, content, CONTENT);
    assert_ptr_equal(zn_blob_store_find(store, digest), blob);
    zn_blob_store_destroy(&store);
}

/* Other bytes than the digest says are refused, and the blob can be sent again. */
static void test_blob_store_wrong_bytes_are_corrupt(void **state) {
    (void)state;
    zonda_error error;
    zn_blob_store *store = zn_blob_store_new(100);
    zn_blob *blob = add(store, zn_digest_of(part(0, 4)), 4);
    assert_err(zn_blob_append(blob, 0, part(4, 8), &error), CORRUPT);
    assert_int_equal(zn_blob_received(blob), 0);
    assert_ok(zn_blob_append(blob, 0, part(0, 4), &error), error);
    assert_true(zn_blob_complete(blob));
    zn_blob_store_destroy(&store);
}

/* Bytes beyond the declared size have no effect. */
static void test_blob_store_beyond_size_is_invalid(void **state) {
    (void)state;
    zonda_error error;
    zn_blob_store *store = zn_blob_store_new(100);
    zn_blob *blob = add(store, zn_digest_of(part(0, 4)), 4);
    assert_err(zn_blob_append(blob, 0, part(0, 5), &error), INVALID);
    assert_err(zn_blob_append(blob, 5, part(0, 0), &error), INVALID);
    assert_err(zn_blob_append(blob, UINT64_MAX, part(0, 4), &error), INVALID);
    assert_int_equal(zn_blob_received(blob), 0);
    zn_blob_store_destroy(&store);
}

/* Declared sizes count from the first part on; releasing makes room. */
static void test_blob_store_full_is_limit(void **state) {
    (void)state;
    zonda_error error;
    zn_blob_store *store = zn_blob_store_new(20);
    zn_blob *first = add(store, zn_digest_of(part(0, 12)), 12);
    zn_blob *second = NULL;
    zn_digest digest = zn_digest_of(part(0, 9));
    assert_err(zn_blob_store_add(store, digest, 9, &second, &error), LIMIT);
    assert_err(zn_blob_store_add(store, digest, UINT64_MAX, &second, &error), LIMIT);
    assert_null(second);
    zn_blob_store_keep(first);
    zn_blob_store_release(store, first);
    assert_int_equal(zn_blob_store_used(store), 12);
    zn_blob_store_release(store, first);
    assert_int_equal(zn_blob_store_used(store), 0);
    second = add(store, digest, 9);
    assert_ptr_equal(zn_blob_store_find(store, digest), second);
    zn_blob_store_destroy(&store);
}

/* A blob of no bytes is complete after its empty part. */
static void test_blob_store_empty_blob_completes(void **state) {
    (void)state;
    zonda_error error;
    zn_blob_store *store = zn_blob_store_new(20);
    zn_blob *blob = add(store, zn_digest_of((zn_bytes){ 0 }), 0);
    assert_ok(zn_blob_append(blob, 0, (zn_bytes){ 0 }, &error), error);
    assert_true(zn_blob_complete(blob));
    zn_blob_store_destroy(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blob_store_parts_make_blob),
        cmocka_unit_test(test_blob_store_wrong_bytes_are_corrupt),
        cmocka_unit_test(test_blob_store_beyond_size_is_invalid),
        cmocka_unit_test(test_blob_store_full_is_limit),
        cmocka_unit_test(test_blob_store_empty_blob_completes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
