/* SPDX-License-Identifier: MPL-2.0 */
/* Narrow operators over every transport: the same bytes in one process, over ipc and over tcp. The
 * transport is the argument of the program. */
#include "integration/fixture.h"

static test_transport chosen;
static test_cluster cluster;

static int open_cluster(void **state) {
    (void)state;
    fixture_open(&cluster, chosen, 2, 2);
    return 0;
}

static int close_cluster(void **state) {
    (void)state;
    fixture_close(&cluster);
    return 0;
}

static zonda_dataset *range(uint64_t n, uint64_t shards) {
    return zonda_from_range(n, &(zonda_range_options){ .shards = shards });
}

/* Fields are left out and renamed on the workers. */
static void test_narrow_drop_and_rename(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_from_json("[{\"a\":1,\"b\":{\"c\":2,\"d\":3}},{\"b\":{}}]");
    ds = zonda_drop(ds, "b.c", NULL);
    ds = zonda_rename(ds, "first", "a", NULL);
    fixture_expect(&cluster, ds, "{\"first\":1,\"b\":{\"d\":3}}\n{\"b\":{}}\n");
}

/* Each shard has its own first records and its own windows. */
static void test_narrow_take_and_window_per_shard(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_window(zonda_take_per_shard(range(30, 3), 3), 2);
    fixture_expect(&cluster, ds, "[0,1]\n[2]\n[10,11]\n[12]\n[20,21]\n[22]\n");
    fixture_expect(&cluster, zonda_take_per_shard(range(30, 3), 0), "");
    fixture_expect(&cluster, zonda_count(zonda_take_per_shard(range(30, 3), 4)), "12\n");
}

/* A function says where windows end. */
static void test_narrow_window_by_function(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_window_by(range(8, 1), zonda_lua("a + r < 10, a + r"), "\x00", 1);
    fixture_expect(&cluster, ds, "[0,1,2,3]\n[4,5]\n[6]\n[7]\n");
}

/* A sample is the same whoever takes it. */
static void test_narrow_sample_is_the_same_everywhere(void **state) {
    (void)state;
    fixture_expect(&cluster, zonda_sample(range(40, 2), 0.25, 7),
                   "4\n7\n12\n16\n23\n26\n31\n36\n37\n38\n39\n");
}

/* Shards of the one, then of the other, through operators, folds and sinks. */
static void test_narrow_union_keeps_order(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_union(zonda_map(range(4, 2), zonda_lua("r * 10")), range(3, 3));
    fixture_expect(&cluster, zonda_window(zonda_dataset_share(ds), 2),
                   "[0,10]\n[20,30]\n[0]\n[1]\n[2]\n");
    fixture_expect(&cluster, zonda_count(zonda_dataset_share(ds)), "7\n");
    zonda_dataset *counted = zonda_count(zonda_dataset_share(ds));
    fixture_expect(&cluster, zonda_map(zonda_union(counted, ds), zonda_lua("r + 1")),
                   "8\n1\n11\n21\n31\n1\n2\n3\n");
}

int main(int argc, char **argv) {
    static const char *const names[] = { "inproc", "ipc", "tcp" };
    const char *name = argc > 1 ? argv[1] : "inproc";
    for (chosen = TRANSPORT_INPROC; strcmp(names[chosen], name) != 0; chosen++) {
        if (chosen == TRANSPORT_TCP) {
            fprintf(stderr, "usage: test_narrow inproc|ipc|tcp\n");
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrow_drop_and_rename),
        cmocka_unit_test(test_narrow_take_and_window_per_shard),
        cmocka_unit_test(test_narrow_window_by_function),
        cmocka_unit_test(test_narrow_sample_is_the_same_everywhere),
        cmocka_unit_test(test_narrow_union_keeps_order),
    };
    return cmocka_run_group_tests_name(name, tests, open_cluster, close_cluster);
}
