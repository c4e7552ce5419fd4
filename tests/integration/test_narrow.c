/* SPDX-License-Identifier: MPL-2.0 */
/* Narrow operators over every transport: the same bytes in one process, over ipc and over tcp. The
 * transport is the argument of the program. */
#include <stdatomic.h>

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

/* The first records in result order, however they lie in shards. */
static void test_narrow_limit_gives_first_of_all(void **state) {
    (void)state;
    fixture_expect(&cluster, zonda_limit(range(30, 10), 4), "0\n1\n2\n3\n");
    fixture_expect(&cluster, zonda_limit(range(30, 10), 0), "");
    fixture_expect(&cluster, zonda_limit(range(3, 10), 9), "0\n1\n2\n");
    fixture_expect(&cluster, zonda_limit(zonda_from_range(0, NULL), 9), "");
    fixture_expect(&cluster, zonda_window(zonda_limit(range(30, 10), 4), 3), "[0,1,2]\n[3]\n");
}

static atomic_uint calls;

static zonda_err count_call(zonda_task *task, const msgpack_object *args, size_t count,
                            msgpack_packer *out) {
    (void)task;
    (void)count;
    atomic_fetch_add(&calls, 1);
    return msgpack_pack_object(out, args[0]) == 0 ? ZONDA_OK : ZONDA_ERR_INTERNAL;
}

/* Runs the dataset, which must give `records` records, and returns how many its first stage read
 * in the tasks that count. */
static int64_t records_read(zonda_dataset *dataset, unsigned records) {
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(cluster.cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    assert_ok(error.code, error);
    unsigned got_records = 0;
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    while (zonda_result_next(result, &record, &bytes, &got, &error) == ZONDA_OK && got) {
        got_records++;
    }
    assert_ok(error.code, error);
    assert_int_equal(got_records, records);
    size_t count = 0;
    int64_t read = -1;
    const zonda_counter *counters = zonda_result_stage_counters(result, 0, &count);
    for (size_t i = 0; i < count; i++) {
        read = strcmp(counters[i].name, "records_in") == 0 ? counters[i].sum : read;
    }
    zonda_result_destroy(&result);
    return read;
}

/* Shards behind those that a limit needs do not run. Two of 1,000 shards are needed, and no more
 * than twice as many as there are slots (4) are handed out from the first on that is not complete.
 * The tasks that count prove it on every transport; in this process the calls of a function prove
 * it for those that ran in vain, too. */
static void test_narrow_limit_does_not_run_later_shards(void **state) {
    (void)state;
    const unsigned most = (2 + 2 * 4) * 10;
    zonda_dataset *ds = zonda_filter(range(10000, 1000), zonda_lua("r >= 13"));
    int64_t read = records_read(zonda_limit(ds, 5), 5);
    assert_true(read >= 18 && read <= most);
    if (chosen != TRANSPORT_INPROC) {
        return;
    }
    atomic_store(&calls, 0);
    ds = zonda_map(range(10000, 1000), zonda_fn("count_call"));
    read = records_read(zonda_limit(zonda_filter(ds, zonda_lua("r >= 13")), 5), 5);
    assert_true(read >= 18 && read <= most);
    assert_true(atomic_load(&calls) >= 18 && atomic_load(&calls) <= most);
    atomic_store(&calls, 0);
    ds = zonda_map(range(10000, 1000), zonda_fn("count_call"));
    fixture_expect(&cluster, zonda_limit(ds, 0), "");
    assert_int_equal(atomic_load(&calls), 0);
}

/* Files are written whatever is done with their paths, and a limit can be written itself. */
static void test_narrow_limit_and_files(void **state) {
    (void)state;
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/limit-in/{shard}.jsonl", cluster.folder);
    zonda_dataset *ds = zonda_write(range(20, 20), pattern, NULL);
    assert_true(records_read(zonda_limit(ds, 2), 2) == 20);
    snprintf(pattern, sizeof pattern, "%s/limit-in", cluster.folder);
    assert_int_equal(fixture_count_files(pattern), 20);
    snprintf(pattern, sizeof pattern, "%s/limited.jsonl", cluster.folder);
    ds = zonda_map(zonda_limit(range(1000, 500), 3), zonda_lua("r * 2"));
    records_read(zonda_write(ds, pattern, NULL), 1);
    char *text = fixture_read_file(pattern);
    assert_string_equal(text, "0\n2\n4\n");
    free(text);
    records_read(zonda_write(zonda_limit(range(1000, 500), 0), pattern, NULL), 1);
    text = fixture_read_file(pattern);
    assert_string_equal(text, "");
    free(text);
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
    static const zonda_function counting = { .call = count_call };
    zonda_register("count_call", &counting, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrow_drop_and_rename),
        cmocka_unit_test(test_narrow_take_and_window_per_shard),
        cmocka_unit_test(test_narrow_window_by_function),
        cmocka_unit_test(test_narrow_sample_is_the_same_everywhere),
        cmocka_unit_test(test_narrow_limit_gives_first_of_all),
        cmocka_unit_test(test_narrow_limit_does_not_run_later_shards),
        cmocka_unit_test(test_narrow_limit_and_files),
        cmocka_unit_test(test_narrow_union_keeps_order),
    };
    return cmocka_run_group_tests_name(name, tests, open_cluster, close_cluster);
}
