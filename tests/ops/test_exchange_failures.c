/* SPDX-License-Identifier: MPL-2.0 */
/* What an exchange says when something is not as it should be, and that the next attempt finds it
 * in order again once it is. */
#include "exchange_rig.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/data_server.h"

/* Three tasks with rows, the last of stage 0 without. */
static void fill(exchange_rig *rig) {
    uint64_t seed = 3;
    exchange_rig_open(rig);
    for (size_t task = 0; task < 4; task++) {
        rig_rows rows = exchange_rig_rows(&seed, task == 3 ? 0 : 300, 50, 300, 3, true);
        exchange_rig_add(rig, 0, ZN_INDEX_PARTITIONS, 3, &rows);
        rig_rows_free(&rows);
        rig->results[0][task].attempt = task + 3;
    }
}

static zonda_error read_failing(exchange_slot *slot, uint64_t shard, const char *code) {
    rig_rows found = { 0 };
    zonda_error error = { 0 };
    assert_int_not_equal(exchange_slot_read(slot, shard, &found, &error), ZONDA_OK);
    assert_string_equal(zonda_err_name(error.code), code);
    rig_rows_free(&found);
    return error;
}

static void assert_has(const zonda_error *error, const char *words) {
    if (strstr(error->text, words) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", error->text, words);
    }
}

/* The reader says which result is to be made again. */
static void assert_lost(const zonda_error *error, uint64_t task) {
    assert_true(error->has_lost);
    assert_int_equal(error->lost_stage, 0);
    assert_int_equal(error->lost_task, task);
    assert_int_equal(error->lost_attempt, task + 3);
    assert_false(error->permanent);
}

static size_t count_rows(exchange_slot *slot, uint64_t shard) {
    rig_rows found = { 0 };
    exchange_slot_take(slot, shard, &found);
    size_t count = found.count;
    rig_rows_free(&found);
    return count;
}

static void flip_byte(const char *path, off_t offset) {
    uint8_t byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static char *segment_path(exchange_rig *rig, size_t task) {
    return fake_host_path(&rig->fake, rig->names[0][task]);
}

/* One byte of a block of rows: the error names task, stage and worker; put right, it is read. */
static void test_exchange_corrupt_rows_are_named(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    size_t before = count_rows(&slot, 0);
    char *path = segment_path(&rig, 1);
    flip_byte(path, 100);
    zonda_error error = read_failing(&slot, 0, "CORRUPT");
    assert_has(&error, "task 1 of stage 0 on worker 5");
    assert_has(&error, rig.names[0][1]);
    assert_lost(&error, 1);
    flip_byte(path, 100);
    assert_int_equal(count_rows(&slot, 0), before);
    free(path);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* One byte of an index: nothing can be read, and the table is not kept. */
static void test_exchange_corrupt_index_is_named(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    char *path = segment_path(&rig, 2);
    off_t place = (off_t)rig.references[0][2].offset + 40;
    flip_byte(path, place);
    zonda_error error = read_failing(&slot, 0, "CORRUPT");
    assert_has(&error, "the index of task 2 of stage 0 on worker 5");
    assert_lost(&error, 2);
    flip_byte(path, place);
    assert_true(count_rows(&slot, 0) > 0);
    free(path);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* A segment that is gone, here and on its worker. */
static void test_exchange_missing_segment_is_named(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    zonda_error error = { 0 };
    zn_data_server *server = zn_data_server_start("inproc://failures", rig.fake.folder, &error);
    assert_non_null(server);
    for (size_t task = 0; task < 4; task++) {
        rig.results[0][task].endpoint = zn_bytes_of_text("inproc://failures");
    }
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    char *path = segment_path(&rig, 1);
    char *aside = fake_host_path(&rig.fake, "aside");
    assert_int_equal(rename(path, aside), 0);
    error = read_failing(&slot, 0, "NOT_FOUND");
    assert_has(&error, "task 1 of stage 0 on worker 5");
    assert_lost(&error, 1);
    assert_int_equal(rename(aside, path), 0);
    assert_true(count_rows(&slot, 0) > 0);
    free(path);
    free(aside);
    exchange_slot_close(&slot);
    zn_data_server_stop(&server);
    exchange_rig_close(&rig);
}

/* Who dies while it makes the table leaves no whole one; neither does a table that is corrupt. */
static void test_exchange_table_that_is_not_whole_is_made_anew(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    char *table = exchange_rig_table(&rig);
    fake_host_write(&rig.fake, strrchr(table, '/') + 1, "half of a table");
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    size_t before = count_rows(&slot, 1);
    assert_true(before > 0);
    /* Behind the header and five offsets come the blocks. */
    flip_byte(table, 24 + 5 * 8 + 40);
    zonda_error error = read_failing(&slot, 0, "CORRUPT");
    assert_has(&error, table);
    size_t calls = rig.calls;
    assert_int_equal(count_rows(&slot, 1), before);
    assert_true(rig.calls > calls);
    free(table);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* An attempt that waits for another slot to make the table can be cancelled. */
static void test_exchange_cancelled_while_it_waits_ends(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    char *table = exchange_rig_table(&rig);
    int fd = open(table, O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    rig.fake.cancel_after = 5;
    _Atomic uint64_t moves = 0;
    rig.fake.host.moves = &moves;
    read_failing(&slot, 0, "CANCELLED");
    assert_true(moves >= 5); /* who waits does not hang */
    rig.fake.cancel_after = UINT64_MAX;
    close(fd);
    assert_true(count_rows(&slot, 0) > 0);
    rig.fake.cancel_after = 3;
    read_failing(&slot, 0, "CANCELLED");
    free(table);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* Results that are none of a shuffle, or fewer than planned, are not taken for no rows. */
static void test_exchange_results_that_do_not_fit_are_refused(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    rig.results[0][3].records_out = 1;
    zonda_error error = read_failing(&slot, 0, "PROTOCOL");
    assert_has(&error, "task 3 of stage 0");
    rig.results[0][3].records_out = 0;
    rig.task_counts[0] = 3;
    error = read_failing(&slot, 0, "PROTOCOL");
    assert_has(&error, "3 tasks, not 4");
    rig.task_counts[0] = 4;
    rig.results[0][2].first = 3;
    error = read_failing(&slot, 0, "PROTOCOL");
    assert_has(&error, "gap at task 2");
    rig.results[0][2].first = 2;
    assert_true(count_rows(&slot, 0) > 0);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* Rows of another number of partitions, or without samples, cannot be divided. */
static void test_exchange_indexes_of_another_kind_are_refused(void **state) {
    (void)state;
    exchange_rig rig;
    fill(&rig);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 2);
    zonda_error error = read_failing(&slot, 0, "CORRUPT");
    assert_has(&error, "shuffle to 2 shards");
    exchange_slot_close(&slot);
    exchange_slot_open(&slot, &rig, "range", 3);
    error = read_failing(&slot, 0, "CORRUPT");
    assert_has(&error, "no samples");
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* What the planner cannot have meant is an error of the plan. */
static void test_exchange_wrong_plans_are_refused(void **state) {
    (void)state;
    static const char *const plans[] = {
        "{\"inputs\":1}",
        "{\"inputs\":[1]}",
        "{\"inputs\":[{\"stage\":0,\"tasks\":0,\"by\":\"range\"}]}",
        "{\"inputs\":[{\"stage\":0,\"tasks\":4}]}",
        "{\"inputs\":[{\"stage\":0,\"tasks\":4,\"by\":\"luck\"}]}",
        "{\"inputs\":[{\"stage\":0,\"tasks\":4,\"by\":\"task\"}]}",
        ("{\"inputs\":[{\"stage\":0,\"tasks\":2,\"by\":\"range\"},"
         "{\"stage\":1,\"tasks\":2,\"by\":\"bytes\"}]}"),
    };
    exchange_rig rig;
    exchange_rig_open(&rig);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        zn_buf planned = { 0 };
        fake_json(plans[i], &planned);
        zn_op op = { .stage = rig.exec, .planned = zn_buf_bytes(&planned), .shard_count = 3 };
        zonda_error error = { 0 };
        assert_null(zn_exchange_new(&op, &error));
        assert_string_equal(zonda_err_name(error.code), "PLAN");
        zn_buf_free(&planned);
    }
    exchange_rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange_corrupt_rows_are_named),
        cmocka_unit_test(test_exchange_corrupt_index_is_named),
        cmocka_unit_test(test_exchange_missing_segment_is_named),
        cmocka_unit_test(test_exchange_table_that_is_not_whole_is_made_anew),
        cmocka_unit_test(test_exchange_cancelled_while_it_waits_ends),
        cmocka_unit_test(test_exchange_results_that_do_not_fit_are_refused),
        cmocka_unit_test(test_exchange_indexes_of_another_kind_are_refused),
        cmocka_unit_test(test_exchange_wrong_plans_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
