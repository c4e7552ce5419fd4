/* SPDX-License-Identifier: MPL-2.0 */
/* Who announces himself to a publisher is known while his connection stands. */
#include "test.h"

#include "wire/channel.h"

static const uint64_t somebody = UINT64_C(0x0123456789abcdef);

/* Takes notices until one is about somebody. */
static bool next_presence(zn_channel *pub, uint64_t *id) {
    bool present = false;
    *id = 0;
    while (*id == 0) {
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = pub };
        assert_int_equal(zn_poll(&item, 1, 20000), 1);
        while (*id == 0 && zn_channel_presence(pub, id, &present)) {
        }
    }
    return present;
}

static void come_and_go(const char *endpoint) {
    zonda_error error = { 0 };
    uint64_t id = 0;
    zn_channel *pub = zn_channel_bind(ZN_CHANNEL_PUB, endpoint, &error);
    assert_non_null(pub);
    zn_channel *sub = zn_channel_connect(ZN_CHANNEL_SUB, zn_channel_endpoint(pub), &error);
    assert_non_null(sub);
    zn_channel_announce(sub, somebody);
    assert_true(next_presence(pub, &id));
    assert_int_equal(id, somebody);
    zn_channel_destroy(&sub);
    assert_false(next_presence(pub, &id));
    assert_int_equal(id, somebody);
    zn_channel_destroy(&pub);
}

static void test_presence_ends_with_the_connection(void **state) {
    (void)state;
    come_and_go("tcp://127.0.0.1:*");
    come_and_go("inproc://test-presence");
}

/* Two connections of the same one: he is there until both have gone. */
static void test_presence_lasts_for_the_last_connection(void **state) {
    (void)state;
    zonda_error error = { 0 };
    uint64_t id = 0;
    zn_channel *pub = zn_channel_bind(ZN_CHANNEL_PUB, "tcp://127.0.0.1:*", &error);
    assert_non_null(pub);
    zn_channel *first = zn_channel_connect(ZN_CHANNEL_SUB, zn_channel_endpoint(pub), &error);
    zn_channel_announce(first, somebody);
    assert_true(next_presence(pub, &id));
    zn_channel *second = zn_channel_connect(ZN_CHANNEL_SUB, zn_channel_endpoint(pub), &error);
    zn_channel_announce(second, somebody);
    zn_channel_announce(second, somebody + 1); /* comes behind, so the one before has come */
    assert_true(next_presence(pub, &id));
    assert_int_equal(id, somebody + 1);
    zn_channel_destroy(&first);
    zn_channel_announce(second, somebody + 2);
    assert_true(next_presence(pub, &id));
    assert_int_equal(id, somebody + 2);
    zn_channel_destroy(&second);
    for (int gone = 0; gone < 3; gone++) {
        assert_false(next_presence(pub, &id));
    }
    zn_channel_destroy(&pub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presence_ends_with_the_connection),
        cmocka_unit_test(test_presence_lasts_for_the_last_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
