/* SPDX-License-Identifier: MPL-2.0 */
/* A large blob is filled by a worker and found by slots; and by nobody where something is wrong. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "worker/blob_assembly.h"

enum {
    BYTES = ZN_BLOB_SHARED_BYTES_MIN + 5
};

static char folder[64];
static uint8_t *content;
static zn_digest digest;

static int set_up(void **state) {
    (void)state;
    strcpy(folder, "/tmp/shared-blob-XXXXXX");
    assert_non_null(mkdtemp(folder));
    content = zn_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        content[i] = (uint8_t)(i % 253);
    }
    digest = zn_digest_of((zn_bytes){ content, BYTES });
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(content);
    assert_int_equal(rmdir(folder), 0); /* no name was left */
    return 0;
}

static zn_shared_blob *make_blob(zn_bytes bytes) {
    zn_shared_blob *blob = zn_shared_blob_new(bytes.len);
    assert_non_null(blob);
    size_t half = bytes.len / 2;
    assert_true(zn_shared_blob_put(blob, half, (zn_bytes){ bytes.data + half, bytes.len - half }));
    assert_true(zn_shared_blob_put(blob, 0, (zn_bytes){ bytes.data, half }));
    return blob;
}

static void test_shared_blob_is_found_as_it_was_filled(void **state) {
    (void)state;
    zn_shared_blob *made = make_blob((zn_bytes){ content, BYTES });
    assert_true(zn_shared_blob_seal(made));
    assert_memory_equal(zn_shared_blob_data(made), content, BYTES);
    assert_null(zn_shared_blob_find(folder, digest, BYTES));
    zn_shared_blob_publish(made, folder, digest);
    zn_shared_blob *found = zn_shared_blob_find(folder, digest, BYTES);
    assert_non_null(found);
    zn_shared_blob_destroy(&made);
    assert_null(made);
    assert_memory_equal(zn_shared_blob_data(found), content, BYTES);
    zn_shared_blob_destroy(&found);
    zn_shared_blob_destroy(&found);
    assert_null(zn_shared_blob_find(folder, digest, BYTES));
}

/* What was sealed stays as it is. */
static void test_shared_blob_sealed_is_not_filled(void **state) {
    (void)state;
    zn_shared_blob *made = make_blob((zn_bytes){ content, BYTES });
    assert_true(zn_shared_blob_seal(made));
    assert_false(zn_shared_blob_put(made, 0, (zn_bytes){ content, 1 }));
    zn_shared_blob_destroy(&made);
}

static void test_shared_blob_of_other_size_or_content_is_not_found(void **state) {
    (void)state;
    zn_shared_blob *made = make_blob((zn_bytes){ content, BYTES });
    zn_shared_blob_publish(made, folder, digest);
    assert_null(zn_shared_blob_find(folder, digest, BYTES)); /* may still change */
    assert_true(zn_shared_blob_seal(made));
    assert_null(zn_shared_blob_find(folder, digest, BYTES - 1));
    zn_shared_blob_destroy(&made);
    content[7] ^= 1;
    made = make_blob((zn_bytes){ content, BYTES });
    assert_true(zn_shared_blob_seal(made));
    zn_shared_blob_publish(made, folder, digest);
    assert_null(zn_shared_blob_find(folder, digest, BYTES));
    zn_shared_blob_destroy(&made);
}

static zn_msg_blob part_at(uint64_t offset) {
    uint64_t left = BYTES - offset;
    return (zn_msg_blob){ .found = 1,
                          .size = BYTES,
                          .offset = offset,
                          .bytes = { content + offset,
                                     left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES } };
}

/* Gives every part that is asked for. Returns how many. */
static size_t feed(zn_blob_assembly *blob) {
    size_t count = 0;
    uint64_t offset = 0;
    while (zn_blob_assembly_next(blob, &offset)) {
        zn_msg_blob part = part_at(offset);
        zn_blob_assembly_put(blob, &part);
        count++;
    }
    return count;
}

/* The slot needs the first part, to learn the size; and all of them where the worker shares none.
 */
static void test_blob_assembly_takes_what_the_worker_shares(void **state) {
    (void)state;
    size_t parts = (BYTES + ZN_BLOB_CHUNK_BYTES - 1) / ZN_BLOB_CHUNK_BYTES;
    zn_blob_assembly worker;
    zn_blob_assembly slot;
    zn_blob_assembly_init(&worker, digest, ZN_BLOB_GIVES, folder);
    assert_int_equal(feed(&worker), parts);
    assert_int_equal(worker.state, ZN_BLOB_COMPLETE);
    assert_memory_equal(worker.data, content, BYTES);
    zn_blob_assembly_init(&slot, digest, ZN_BLOB_FINDS, folder);
    assert_int_equal(feed(&slot), 1);
    assert_int_equal(slot.state, ZN_BLOB_COMPLETE);
    zn_blob_assembly_free(&worker);
    assert_memory_equal(slot.data, content, BYTES);
    zn_blob_assembly_free(&slot);
    zn_blob_assembly_init(&slot, digest, ZN_BLOB_FINDS, folder);
    assert_int_equal(feed(&slot), parts);
    assert_int_equal(slot.state, ZN_BLOB_COMPLETE);
    assert_memory_equal(slot.data, content, BYTES);
    zn_blob_assembly_free(&slot);
}

/* A blob with wrong bytes is not shared. */
static void test_blob_assembly_of_another_digest_is_missing(void **state) {
    (void)state;
    content[BYTES - 1] ^= 1;
    zn_blob_assembly worker;
    zn_blob_assembly_init(&worker, digest, ZN_BLOB_GIVES, folder);
    feed(&worker);
    assert_int_equal(worker.state, ZN_BLOB_MISSING);
    assert_null(zn_shared_blob_find(folder, digest, BYTES));
    zn_blob_assembly_free(&worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shared_blob_is_found_as_it_was_filled, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_shared_blob_sealed_is_not_filled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_blob_of_other_size_or_content_is_not_found,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blob_assembly_takes_what_the_worker_shares, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_blob_assembly_of_another_digest_is_missing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
