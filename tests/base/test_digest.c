/* SPDX-License-Identifier: MPL-2.0 */
/* Digests are the same on every machine and in every release: they are in frames and files. */
#include "test.h"

#include "base/digest.h"

/* Known values of XXH3: a change of library or byte order must not go unnoticed. */
static void test_digest_known_values(void **state) {
    (void)state;
    char text[ZN_DIGEST_TEXT];
    assert_true(zn_checksum(zn_bytes_of_text("")) == UINT64_C(0x2d06800538d394c2));
    assert_string_equal(zn_digest_text(zn_digest_of(zn_bytes_of_text("")), text),
                        "99aa06d3014798d86001c324468d497f");
}

/* Different bytes, different names; equal bytes, equal names. */
static void test_digest_tells_contents_apart(void **state) {
    (void)state;
    zn_digest a = zn_digest_of(zn_bytes_of_text("a"));
    zn_digest b = zn_digest_of(zn_bytes_of_text("b"));
    assert_false(zn_digest_equal(a, b));
    assert_true(zn_digest_equal(a, zn_digest_of(zn_bytes_of_text("a"))));
    assert_false(zn_digest_is_none(a));
    assert_true(zn_digest_is_none((zn_digest){ { 0 } }));
}

/* Digests from the wire have 16 bytes or are none. */
static void test_digest_from_bytes_wants_sixteen(void **state) {
    (void)state;
    zn_digest a = zn_digest_of(zn_bytes_of_text("a"));
    zn_digest back = { { 0 } };
    assert_true(zn_digest_from_bytes(zn_digest_bytes(&a), &back));
    assert_true(zn_digest_equal(a, back));
    assert_false(zn_digest_from_bytes((zn_bytes){ a.bytes, 15 }, &back));
    assert_false(zn_digest_from_bytes((zn_bytes){ NULL, 0 }, &back));
    assert_true(zn_digest_equal(a, back));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_known_values),
        cmocka_unit_test(test_digest_tells_contents_apart),
        cmocka_unit_test(test_digest_from_bytes_wants_sixteen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
