/* SPDX-License-Identifier: MPL-2.0 */
/* The external sort against qsort in memory: budgets from tiny to none, combiners, failures; and
 * nothing is left in the scratch folder or on the account. */
#include "rows.h"

#include "base/limits.h"
#include "store/sorter.h"

typedef struct check {
    const model *expected;
    size_t at;
    size_t fail_at;
} check;

static zonda_err put_checked(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                             zonda_error *error) {
    check *self = context;
    if (self->at == self->fail_at) {
        return zn_error_set(error, ZONDA_ERR_IO, "injected");
    }
    assert_true(self->at < self->expected->count);
    const model_row *row = &self->expected->rows[self->at++];
    assert_int_equal(partition, row->partition);
    assert_row(row, key, record);
    return ZONDA_OK;
}

static zonda_err add_all(zn_sorter *sorter, const model *rows, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < rows->count; i++) {
        code = zn_sorter_add(sorter, rows->rows[i].partition, zn_buf_bytes(&rows->rows[i].key),
                             zn_buf_bytes(&rows->rows[i].record), error);
    }
    return code;
}

static void assert_drained(zn_sorter *sorter, const model *expected) {
    check out = { .expected = expected, .fail_at = SIZE_MAX };
    zonda_error error = { 0 };
    assert_ok(zn_sorter_drain(sorter, put_checked, &out, &error), error);
    assert_int_equal(out.at, expected->count);
}

/* Whatever the number of rows, partitions and bytes: the order of the model, also unsorted. */
static void test_sorter_equals_model(void **state) {
    static const struct {
        size_t rows;
        uint32_t partitions;
        size_t filling;
        uint64_t bytes_max; /* 0: by the account */
        uint64_t limit;     /* of the account; 0: none */
        bool spills;
    } table[] = {
        { 0, 1, 0, 1, 0, false },
        { 1, 1, 0, 1, 0, true },
        { 1, 3, 0, 0, 0, false },
        { 5000, 1, 0, 0, 0, false },
        { 5000, 191, 20, 20000, 0, true },
        { 3000, 192, 20, 1, 0, true },
        { 5000, 70000, 0, 30000, 0, true },
        { 20000, 4, 300, 0, 1 << 20, true },
        { 20000, 4000, 100, 0, 3 << 20, true },
        { 9000, 9, 100, 0, 1, true },
        { 3000, 2, 100, 0, 64 << 20, false },
    };
    for (size_t i = 0; i < 2 * sizeof table / sizeof table[0]; i++) {
        size_t at = i / 2;
        bool sorted = i % 2 == 0;
        zn_memory memory = { .limit = table[at].limit };
        zn_sorter_options options = { .scratch = *state,
                                      .memory = table[at].limit > 0 ? &memory : NULL,
                                      .bytes_max = table[at].bytes_max,
                                      .sorted = sorted };
        zn_sorter *sorter = zn_sorter_new(&options);
        for (uint64_t seed = 10 * i; seed < 10 * i + 2; seed++) {
            print_message("seed %llu\n", (unsigned long long)seed);
            zonda_error error = { 0 };
            model rows = make_model(seed, table[at].rows, table[at].partitions, table[at].filling);
            assert_ok(add_all(sorter, &rows, &error), error);
            if (sorted) {
                sort_model(&rows);
            }
            assert_drained(sorter, &rows);
            assert_int_equal(zn_sorter_spilled_bytes(sorter) > 0, table[at].spills);
            free_model(&rows);
            assert_int_equal(folder_count(*state), 0);
        }
        zn_sorter_destroy(&sorter);
        assert_int_equal(memory.used, 0);
    }
}

/* Long keys that differ only behind what entries hold, presorted, reversed and all equal. */
static void test_sorter_shapes_of_input(void **state) {
    for (unsigned shape = 0; shape < 4; shape++) {
        enum {
            ROWS = 4000
        };
        model rows = { .rows = zn_calloc(ROWS, sizeof(model_row)), .count = ROWS };
        for (size_t i = 0; i < ROWS; i++) {
            size_t number = shape == 0 ? i : shape == 1 ? ROWS - i : shape == 2 ? 5 : i * 7919 % 97;
            zn_buf_printf(&rows.rows[i].key, "the same long begin %06zu", number);
            make_record(i, 0, &rows.rows[i].record);
            rows.rows[i].order = i;
        }
        zn_sorter_options options = { .scratch = *state, .sorted = true };
        zn_sorter *sorter = zn_sorter_new(&options);
        zonda_error error = { 0 };
        assert_ok(add_all(sorter, &rows, &error), error);
        sort_model(&rows);
        assert_drained(sorter, &rows);
        zn_sorter_destroy(&sorter);
        free_model(&rows);
    }
}

/* Keys that are each the begin of the next one are split off one by one. */
static void test_sorter_keys_that_begin_others(void **state) {
    enum {
        ROWS = 3000
    };
    model rows = { .rows = zn_calloc(ROWS, sizeof(model_row)), .count = ROWS };
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = i * 7919 % ROWS;
        zn_buf_printf(&rows.rows[i].key, "%0*d", (int)len + 1, 0);
        make_record(i, 0, &rows.rows[i].record);
        rows.rows[i].order = i;
    }
    zn_sorter_options options = { .scratch = *state, .sorted = true };
    zn_sorter *sorter = zn_sorter_new(&options);
    zonda_error error = { 0 };
    assert_ok(add_all(sorter, &rows, &error), error);
    sort_model(&rows);
    assert_drained(sorter, &rows);
    zn_sorter_destroy(&sorter);
    free_model(&rows);
}

/* The account is not exceeded by rows, only by what cannot be helped: one row, blocks of runs. */
static void test_sorter_keeps_to_the_account(void **state) {
    zn_memory memory = { .limit = 8 * ZN_MIB };
    zn_sorter_options options = { .scratch = *state, .memory = &memory, .sorted = true };
    zn_sorter *sorter = zn_sorter_new(&options);
    model rows = make_model(77, 30000, 3, 1500);
    zonda_error error = { 0 };
    assert_ok(add_all(sorter, &rows, &error), error);
    assert_true(memory.peak <= 6 * ZN_MIB);
    sort_model(&rows);
    assert_drained(sorter, &rows);
    assert_true(memory.peak <= memory.limit);
    assert_int_equal(memory.used, 0);

    static const uint8_t key = 1;
    zn_buf huge = { 0 };
    make_record(1, 20 * ZN_MIB, &huge);
    assert_ok(zn_sorter_add(sorter, 0, (zn_bytes){ &key, 1 }, zn_buf_bytes(&huge), &error), error);
    assert_true(zn_sorter_spilled_bytes(sorter) > 20 * ZN_MIB);
    assert_true(memory.used <= 3 * ZN_MIB);
    zn_sorter_destroy(&sorter);
    assert_int_equal(memory.used, 0);
    zn_buf_free(&huge);
    free_model(&rows);
}

/* Gives one row per key: the first, with the sum of counts as record. */
static zonda_err sum_equal_keys(void *context, zn_row_stream *rows,
                                zonda_err (*put)(void *to, zn_bytes key, zn_bytes record,
                                                 zonda_error *error),
                                void *to, zonda_error *error) {
    unsigned *limit = context;
    zn_buf key = { 0 };
    zn_buf record = { 0 };
    int64_t sum = 0;
    bool have = false;
    zonda_err code = ZONDA_OK;
    for (bool found = true; code == ZONDA_OK && found;) {
        zn_row row;
        code = rows->next(rows->context, &row, &found, error);
        bool same = found && have && zn_bytes_equal(row.key, zn_buf_bytes(&key));
        if (code == ZONDA_OK && have && !same) {
            zn_buf_reset(&record, 0);
            zn_put_int(&record, sum);
            code = put(to, zn_buf_bytes(&key), zn_buf_bytes(&record), error);
            sum = 0;
        }
        if (code == ZONDA_OK && found) {
            zn_buf_reset(&key, 0);
            zn_buf_append(&key, row.key.data, row.key.len);
            sum += zn_value_head(row.record).integer;
            have = true;
        }
        if (limit != NULL && found && (*limit)-- == 0) {
            code = zn_error_set(error, ZONDA_ERR_USER, "injected");
        }
    }
    zn_buf_free(&key);
    zn_buf_free(&record);
    return code;
}

typedef struct sums {
    int64_t of[5][100];
    size_t rows;
} sums;

static zonda_err note_sum(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                          zonda_error *error) {
    (void)error;
    sums *self = context;
    assert_int_equal(key.len, 1);
    self->of[partition][key.data[0]] += zn_value_head(record).integer;
    self->rows++;
    return ZONDA_OK;
}

/* A combiner sees each partition by itself, on the way to runs and from them. */
static void test_sorter_combines(void **state) {
    for (uint64_t bytes_max = 5000; bytes_max <= 50000000; bytes_max *= 100) {
        zn_combiner combiner = { .run = sum_equal_keys };
        zn_sorter_options options = {
            .scratch = *state, .bytes_max = bytes_max, .combiner = &combiner, .sorted = true
        };
        zn_sorter *sorter = zn_sorter_new(&options);
        zonda_error error = { 0 };
        uint64_t seed = 9;
        sums expected = { 0 };
        for (size_t i = 0; i < 50000; i++) {
            uint32_t partition = (uint32_t)(rows_random(&seed) % 5);
            uint8_t key = (uint8_t)(rows_random(&seed) % 100);
            uint8_t one = (uint8_t)(1 + rows_random(&seed) % 99);
            expected.rows += expected.of[partition][key] == 0 ? 1 : 0;
            expected.of[partition][key] += one;
            assert_ok(zn_sorter_add(sorter, partition, (zn_bytes){ &key, 1 }, (zn_bytes){ &one, 1 },
                                    &error),
                      error);
        }
        sums found = { 0 };
        assert_ok(zn_sorter_drain(sorter, note_sum, &found, &error), error);
        assert_memory_equal(&found, &expected, sizeof found);
        assert_int_equal(zn_sorter_spilled_bytes(sorter) > 0, bytes_max < 5000000);
        zn_sorter_destroy(&sorter);
    }
}

/* Takes one row of each partition and leaves the others. */
static zonda_err take_one(void *context, zn_row_stream *rows,
                          zonda_err (*put)(void *to, zn_bytes key, zn_bytes record,
                                           zonda_error *error),
                          void *to, zonda_error *error) {
    (void)context;
    zn_row row;
    bool found = false;
    zonda_err code = rows->next(rows->context, &row, &found, error);
    assert_true(found);
    return code == ZONDA_OK ? put(to, row.key, row.record, error) : code;
}

/* Rows that a combiner leaves are skipped, up to the next partition. */
static void test_sorter_combiner_may_leave_rows(void **state) {
    zn_combiner combiner = { .run = take_one };
    zn_sorter_options options = { .scratch = *state, .combiner = &combiner, .sorted = true };
    zn_sorter *sorter = zn_sorter_new(&options);
    zonda_error error = { 0 };
    model rows = make_model(8, 1000, 10, 0);
    assert_ok(add_all(sorter, &rows, &error), error);
    sort_model(&rows);
    model firsts = { .rows = zn_calloc(10, sizeof(model_row)) };
    for (size_t i = 0; i < rows.count; i++) {
        if (i == 0 || rows.rows[i].partition != rows.rows[i - 1].partition) {
            firsts.rows[firsts.count++] = rows.rows[i];
        }
    }
    assert_int_equal(firsts.count, 10);
    assert_drained(sorter, &firsts);
    zn_sorter_destroy(&sorter);
    free(firsts.rows);
    free_model(&rows);
}

static bool is_set(void *context) {
    return *(bool *)context;
}

/* Failures of the disk, the combiner, the receiver and by cancellation leave a sorter that works.
 */
static void test_sorter_failures_leave_it_usable(void **state) {
    unsigned until = 0;
    bool cancel = false;
    zn_memory memory = { .limit = UINT64_MAX };
    zn_combiner combiner = { .context = &until, .run = sum_equal_keys };
    zn_sorter_options options = { .scratch = *state,
                                  .memory = &memory,
                                  .bytes_max = 50000,
                                  .combiner = &combiner,
                                  .sorted = true,
                                  .cancelled = is_set,
                                  .cancelled_context = &cancel };
    zonda_error error = { 0 };
    zn_sorter *sorter = zn_sorter_new(&options);
    model rows = make_model(3, 3000, 4, 50);
    assert_err(add_all(sorter, &rows, &error), USER);
    zn_sorter_reset(sorter);
    zn_sorter_destroy(&sorter);

    options.combiner = NULL;
    sorter = zn_sorter_new(&options);
    cancel = true;
    assert_err(add_all(sorter, &rows, &error), CANCELLED);
    zn_sorter_reset(sorter);
    cancel = false;
    assert_ok(add_all(sorter, &rows, &error), error);
    model expected = make_model(3, 3000, 4, 50);
    sort_model(&expected);
    check out = { .expected = &expected, .fail_at = 1000 };
    assert_err(zn_sorter_drain(sorter, put_checked, &out, &error), IO);
    assert_ok(add_all(sorter, &rows, &error), error);
    assert_drained(sorter, &expected);
    assert_true(zn_sorter_spilled_bytes(sorter) > 0);
    zn_sorter_reset(sorter);
    assert_int_equal(zn_sorter_spilled_bytes(sorter), 0);
    zn_sorter_destroy(&sorter);
    assert_int_equal(memory.used, 0);

    options.scratch = "/nonexistent";
    sorter = zn_sorter_new(&options);
    assert_err(add_all(sorter, &rows, &error), IO);
    zn_sorter_destroy(&sorter);
    assert_int_equal(memory.used, 0);
    free_model(&rows);
    free_model(&expected);
}

/* Keys and records above their limits are refused, and nothing of them stays. */
static void test_sorter_limits(void **state) {
    zn_sorter_options options = { .scratch = *state, .sorted = true };
    zn_sorter *sorter = zn_sorter_new(&options);
    zonda_error error = { 0 };
    uint8_t *key = zn_calloc(1, 2 * ZN_KEY_BYTES_MAX + 1);
    static const uint8_t nil = 0xC0;
    zn_bytes record = { &nil, 1 };
    assert_err(
        zn_sorter_add(sorter, 0, (zn_bytes){ key, 2 * ZN_KEY_BYTES_MAX + 1 }, record, &error),
        LIMIT);
    assert_err(zn_sorter_add(sorter, 0, (zn_bytes){ key, 1 },
                             (zn_bytes){ &nil, ZN_RECORD_BYTES_MAX + 1 }, &error),
               LIMIT);
    model none = { 0 };
    assert_drained(sorter, &none);
    zn_sorter_destroy(&sorter);
    free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_sorter_equals_model),
        folder_test(test_sorter_shapes_of_input),
        folder_test(test_sorter_keys_that_begin_others),
        folder_test(test_sorter_keeps_to_the_account),
        folder_test(test_sorter_combines),
        folder_test(test_sorter_combiner_may_leave_rows),
        folder_test(test_sorter_failures_leave_it_usable),
        folder_test(test_sorter_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
